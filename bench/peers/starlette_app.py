"""Starlette as scripts/bench measures it, under uvicorn: everybody on one channel, no history.

/echo: every message comes back; /subscribe subscribes; POST publishes: one `send_text` after the other.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

subscribers: set[WebSocket] = set()


async def subscribe(socket: WebSocket) -> None:
    """Receives until it leaves."""
    await socket.accept()
    subscribers.add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        subscribers.discard(socket)


async def echo(socket: WebSocket) -> None:
    """What comes goes back."""
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass


async def publish(request: Request) -> Response:
    """To everybody."""
    text = (await request.body()).decode()
    for socket in list(subscribers):
        await socket.send_text(text)
    return Response(status_code=201)


app = Starlette(
    routes=[
        WebSocketRoute("/subscribe", subscribe),
        WebSocketRoute("/echo", echo),
        Route("/publish", publish, methods=["POST"]),
    ]
)
