"""WebSockets through a proxy: is the upgrade passed, and do messages go both ways?"""

import asyncio
import ssl

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from wirehop.client.address import Address
from wirehop.doctor import advice
from wirehop.doctor.findings import Finding
from wirehop.transports.doctor import PATH

SESSIONS = "/connection/websocket"


def dial(address: Address, path: str, tls: ssl.SSLContext | None, timeout: float) -> connect:
    """A WebSocket that sends no pings of its own."""
    return connect(
        address.url(path, scheme="ws"),
        ssl=tls,
        proxy=None,
        compression=None,
        ping_interval=None,
        open_timeout=timeout,
        close_timeout=1,
    )


async def examine_websocket(
    address: Address, tls: ssl.SSLContext | None, timeout: float, *, has_echo: bool
) -> list[Finding]:
    """The upgrade of the sessions' address, and an echo where the server has one."""
    refused = await _refusal(address, SESSIONS, tls, timeout)
    if refused is not None or not has_echo:
        return [refused or Finding("websocket", "ok", "the upgrade is passed")]
    loop = asyncio.get_running_loop()
    try:
        async with dial(address, PATH, tls, timeout) as socket, asyncio.timeout(timeout):
            began = loop.time()
            await _echo(socket)
            return [Finding("websocket", "ok", f"messages go both ways ({(loop.time() - began) * 1000:.1f} ms)")]
    except (OSError, TimeoutError, EOFError, WebSocketException) as error:
        seen = f"the upgrade is passed, but a message does not come back: {error or 'no answer'}"
        return [Finding("websocket", "bad", seen, advice.UPGRADE)]


async def _echo(socket: ClientConnection) -> None:
    await socket.send("doctor")
    if await socket.recv() != "doctor":
        raise EOFError("what came back is not what was sent")


async def _refusal(address: Address, path: str, tls: ssl.SSLContext | None, timeout: float) -> Finding | None:
    try:
        async with dial(address, path, tls, timeout):
            return None
    except InvalidStatus as error:
        return _why(error.response.status_code, bytes(error.response.body or b""))
    except (OSError, TimeoutError, EOFError, InvalidHandshake) as error:
        return Finding("websocket", "bad", f"the handshake fails: {error or 'no answer'}", advice.UPGRADE)


def _why(status: int, body: bytes) -> Finding:
    """What an answer other than 101 says."""
    said = body[:120].decode("latin-1").strip().partition("\n")[0]
    if status == 426 or "Connection does not say Upgrade" in said:
        seen, change = "the proxy takes the Upgrade header away", advice.UPGRADE
    elif "HTTP/1.1" in said:
        seen, change = "the handshake reaches the server in HTTP/1.0, which has no upgrades", advice.HTTP_1_1
    elif status == 404:
        change = f"pass {SESSIONS} on to the server; is transports.websocket off?"
        seen = "the address of WebSockets is not there"
    elif status in (502, 503, 504):
        seen, change = "the proxy has no server for WebSockets", advice.BACK_END
    else:
        seen, change = f"the handshake is refused: {said or 'no reason given'}", advice.UPGRADE
    return Finding("websocket", "bad", f"{seen} (answered {status})", change)
