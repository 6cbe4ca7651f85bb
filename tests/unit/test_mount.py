"""`AsgiApp`: its life under servers with and without lifespan, alone and around another application."""

import asyncio
import warnings
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import wirehop
from wirehop import AsgiApp, Namespace, Node
from wirehop.core.errors import LocalProtocolError

HEALTH = {"type": "http", "method": "GET", "path": "/health", "root_path": "", "headers": [], "query_string": b""}


def node() -> Node:
    return Node(namespaces={"": Namespace(subscribe="anyone", publish="anyone")})


async def get(app: Any, path: str, root: str = "") -> int:
    """The status of one GET."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({**HEALTH, "path": path, "root_path": root}, receive, send)
    return int(sent[0]["status"])


class Lifespan:
    """The server's side of a lifespan."""

    def __init__(self, app: Any) -> None:
        self.to_app: asyncio.Queue[Any] = asyncio.Queue()
        self.from_app: asyncio.Queue[Any] = asyncio.Queue()
        self.task = asyncio.ensure_future(app({"type": "lifespan", "state": {}}, self.to_app.get, self.from_app.put))

    async def say(self, kind: str) -> str:
        await self.to_app.put({"type": f"lifespan.{kind}"})
        return str((await asyncio.wait_for(self.from_app.get(), 5))["type"])


class Inner:
    """Another application: with a lifespan that says what it does, or with none."""

    def __init__(self, node: Node, *, has_lifespan: bool = True, fails: bool = False) -> None:
        self.node = node
        self.saw: list[str] = []
        self._has_lifespan = has_lifespan
        self._fails = fails

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await PlainTextResponse("inner", status_code=299)(scope, receive, send)
            return
        if not self._has_lifespan:
            raise ValueError("no lifespan here")
        assert (await receive())["type"] == "lifespan.startup"
        self.saw.append(f"starts, node open: {self.node.is_open}")
        if self._fails:
            await send({"type": "lifespan.startup.failed", "message": "of the inner"})
            return
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        self.saw.append(f"stops, node open: {self.node.is_open}, draining: {self.node.is_draining}")
        await send({"type": "lifespan.shutdown.complete"})


@pytest.mark.asyncio
async def test_alone_the_servers_lifespan_is_the_nodes() -> None:
    app = AsgiApp(node())
    lifespan = Lifespan(app)
    assert await lifespan.say("startup") == "lifespan.startup.complete"
    assert app.node.is_open
    assert await get(app, "/health") == 200
    assert await lifespan.say("shutdown") == "lifespan.shutdown.complete"
    await lifespan.task
    assert not app.node.is_open


@pytest.mark.asyncio
async def test_without_lifespan_the_first_request_starts_the_node() -> None:
    app = AsgiApp(node())
    assert await asyncio.gather(*(get(app, "/rt/health", "/rt") for _ in range(5))) == [200] * 5
    assert app.node.is_open
    await app.stop()
    await app.stop()
    assert not app.node.is_open
    assert await get(app, "/ready") == 200  # started again, and not draining any more
    await app.stop()


@pytest.mark.asyncio
async def test_a_node_that_runs_already_is_left_running() -> None:
    running = node()
    await running.start()
    app = AsgiApp(running)
    assert await get(app, "/ready") == 200
    await app.stop()
    assert running.is_open
    await running.stop()


@pytest.mark.asyncio
async def test_around_another_application_its_lifespan_is_inside_ours() -> None:
    ours = node()
    inner = Inner(ours)
    app = AsgiApp(ours, inner, prefix="/rt/")
    lifespan = Lifespan(app)
    assert await lifespan.say("startup") == "lifespan.startup.complete"
    assert await lifespan.say("shutdown") == "lifespan.shutdown.complete"
    await lifespan.task
    assert inner.saw == ["starts, node open: True", "stops, node open: True, draining: True"]
    assert not ours.is_open


@pytest.mark.asyncio
async def test_around_an_application_without_lifespan_there_is_one_all_the_same() -> None:
    ours = node()
    lifespan = Lifespan(AsgiApp(ours, Inner(ours, has_lifespan=False), prefix="/rt"))
    assert await lifespan.say("startup") == "lifespan.startup.complete"
    assert ours.is_open
    assert await lifespan.say("shutdown") == "lifespan.shutdown.complete"
    await lifespan.task
    assert not ours.is_open


@pytest.mark.asyncio
async def test_what_cannot_start_says_so_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = node()
    lifespan = Lifespan(AsgiApp(ours, Inner(ours, fails=True), prefix="/rt"))
    assert await lifespan.say("startup") == "lifespan.startup.failed"
    await lifespan.task
    assert not ours.is_open

    async def fail() -> None:
        raise OSError("no broker")

    monkeypatch.setattr(ours, "start", fail)
    lifespan = Lifespan(AsgiApp(ours))
    assert await lifespan.say("startup") == "lifespan.startup.failed"
    await lifespan.task


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "root", "status"),
    [
        ("/rt/health", "", 200),
        ("/rt", "", 404),
        ("/rt/nothing", "", 404),
        ("/rtx/health", "", 299),
        ("/health", "", 299),
        ("/below/rt/health", "/below", 200),
        ("/below/health", "/below", 299),
    ],
)
async def test_below_the_prefix_it_is_ours_and_all_else_the_others(path: str, root: str, status: int) -> None:
    ours = node()
    app = AsgiApp(ours, Inner(ours), prefix="/rt")
    assert await get(app, path, root) == status
    await app.stop()


def test_an_application_needs_a_prefix_and_a_prefix_an_application() -> None:
    for options in ({"app": Inner(node())}, {"prefix": "/rt"}, {"app": Inner(node()), "prefix": "rt"}):
        with pytest.raises(ValueError, match="prefix"):
            AsgiApp(node(), **options)  # type: ignore[arg-type]
    assert wirehop.AsgiApp is AsgiApp


def test_in_starlettes_test_client_with_middleware_and_started_twice() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which HTTP library it would rather have
        from starlette.testclient import TestClient

    async def passing(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    async def page(request: Any) -> PlainTextResponse:
        return PlainTextResponse("page")

    realtime = AsgiApp(node())
    app = Starlette(
        routes=[Route("/", page), Mount("/rt", realtime)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=passing)],
        lifespan=realtime.lifespan,
    )
    for start in (0, 2):
        with TestClient(app) as client:
            assert client.get("/").text == "page"
            assert client.get("/rt/ready").json() == {"status": "ready"}
            assert client.post("/rt/channels/a", json=1).json()["offset"] == start + 1
            with client.websocket_connect("/rt/channels/a") as socket:
                assert client.post("/rt/channels/a", json={"n": start}).json()["offset"] == start + 2
                assert socket.receive_json() == {"n": start}
            assert client.get("/rt/channels/a?wait=20ms").json()["publications"] == []  # the timers of this loop run


def test_requests_on_another_loop_are_refused_by_name() -> None:
    app = AsgiApp(node(), signals=False)
    assert asyncio.run(get(app, "/health")) == 200
    with pytest.raises(LocalProtocolError, match="another event loop"):
        asyncio.run(get(app, "/health"))
