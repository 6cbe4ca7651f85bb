"""The Python client against a real node, on every wire: what it promises when all goes well, and when it does not."""

import asyncio
import contextlib
import logging
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
import trustme

from wirehop.checker.proxy import close_listener
from wirehop.client import (
    Client,
    ClientClosed,
    ClientState,
    Publication,
    RequestFailed,
    Subscription,
    SubscriptionEnded,
)
from wirehop.client.client import WireName
from wirehop.client.events import ChannelEvents, StreamChanged
from wirehop.client.outputs import StateChanged, Subscribed
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.core.messages import Position
from wirehop.hosts.native import HostOptions, NativeServer
from wirehop.node import Client as Session
from wirehop.node import Connecting, Node, User
from wirehop.settings.tree import Namespace
from wirehop.site import Site

WIRES: tuple[WireName, ...] = ("websocket", "sse", "stream", "long-poll", "short-poll")
SECONDS = 15.0
OPEN = Namespace(subscribe="anyone", publish="anyone", presence=True, join_leave=True, history_size=300)


class Place:
    """A node on a port that can be stopped and started again, as another process would be: it forgets everything."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.heard: list[object] = []
        self.ran: list[int] = []
        self._tls = tls

    async def start(self) -> None:
        self.node = Node(
            namespaces={
                "": OPEN,
                "closed": Namespace(),
                "signal": Namespace(delivery="signal", subscribe="anyone", publish="anyone"),
            }
        )
        self._handlers(self.node)
        self._host = NativeServer(Site(self.node).open, options=HostOptions(ssl_context=self._tls))
        await self.node.start()
        await self._host.start("127.0.0.1", self.port)
        self.port = self._host.port

    async def stop(self) -> None:
        await self.node.stop()
        await self._host.close()

    def _handlers(self, node: Node) -> None:
        @node.on_connect
        async def connect(connecting: Connecting) -> User | None:
            if connecting.token == "bad":
                raise Refused(codes.INVALID_TOKEN)
            return User(connecting.token) if connecting.token else None

        @node.on_message
        async def message(_session: Session, data: Any) -> None:
            self.heard.append(data)

        @node.rpc("echo")
        async def echo(_session: Session, data: Any) -> object:
            return data

        @node.rpc("count")
        async def count(_session: Session, data: int) -> int:
            self.ran.append(data)
            return data

        @node.rpc("broken")
        async def broken(_session: Session, _data: Any) -> None:
            raise RuntimeError("a secret detail")

        @node.rpc("forever")
        async def forever(_session: Session, _data: Any) -> None:
            await asyncio.sleep(60)


class Cable:
    """A TCP proxy in front of a place that can be cut: all its connections break at once, and new ones work again."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.drops_answers = 0
        self.connections = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        await close_listener(self._server)
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._place.port)
            self._writers |= {writer, there}
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, there, is_answer=False))
                both.create_task(self._pass(there_reader, writer, is_answer=True))
        except* OSError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        try:
            while data := await reader.read(65_536):
                if is_answer and self.drops_answers:
                    self.drops_answers -= 1
                    self.cut()
                    return
                writer.write(data)
                await writer.drain()
        finally:
            writer.transport.abort()
            self._writers.discard(writer)


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    """No test may take longer than this, whatever it waits for."""

    def late(*_: object) -> None:
        raise TimeoutError(f"the test took more than {SECONDS:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(int(SECONDS))
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def hasty_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short polls come so often that no test waits for one."""
    monkeypatch.setattr("wirehop.client.wires.poll.INTERVAL", 0.05)


async def until(is_true: Callable[[], bool]) -> None:
    """Wait for something that nothing signals."""
    while not is_true():  # noqa: ASYNC110 - the node and the client offer no event for what the tests look at
        await asyncio.sleep(0.005)


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Place]:
    place = Place()
    await place.start()
    yield place
    await place.stop()


@pytest_asyncio.fixture
async def cable(place: Place) -> AsyncIterator[Cable]:
    cable = Cable(place)
    await cable.open()
    yield cable
    await cable.close()


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> WireName:
    name: WireName = request.param
    return name


def client_of(where: Place | Cable, **options: Any) -> Client:
    return Client(f"http://127.0.0.1:{where.port}", jitter=lambda: 0.0, **options)


async def taken(subscription: Subscription, count: int) -> list[Publication]:
    async with asyncio.timeout(SECONDS):
        return [await anext(subscription) for _ in range(count)]


# ---- when all goes well ----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_publications_come_with_everything_that_was_said_about_them(place: Place, wire: WireName) -> None:
    async with client_of(place, wire=wire, token="ada") as client, client.subscribe("room") as subscription:
        assert client.state is ClientState.CONNECTED
        first = await client.publish("room", {"a": [1, "ü"]}, event="greeting")
        await client.publish("room", b"\x00\xff")
        await client.publish("room", "text\nof lines")
        found = await taken(subscription, 3)
        assert [each.data for each in found] == [{"a": [1, "ü"]}, b"\x00\xff", "text\nof lines"]
        assert [each.offset for each in found] == [1, 2, 3]
        assert found[0].event == "greeting"
        assert found[0].info is not None
        assert found[0].info.user == "ada"
        assert found[0].time > 1_700_000_000
        assert not any(each.is_after_gap for each in found)
        assert first == Position(subscription.position.epoch, 1) if subscription.position else False
        page, top = await client.history("room", limit=2, reverse=True)
        assert [each.offset for each in page] == [3, 2]
        assert top == subscription.position
        assert [who.user for who in (await client.presence("room")).values()] == ["ada"]
        assert await client.rpc("echo", {"x": None}) == {"x": None}
        assert await client.rpc("echo") is None


@pytest.mark.asyncio
async def test_a_key_makes_publishing_again_harmless(place: Place, wire: WireName) -> None:
    async with client_of(place, wire=wire, token="ada") as client:
        assert await client.publish("room", 1, key="k") == await client.publish("room", 1, key="k")
        with pytest.raises(RequestFailed) as caught:
            await client.publish("room", 2, key="k")
        assert caught.value.code == 107


@pytest.mark.asyncio
async def test_what_is_sent_has_been_accepted_when_send_returns_also_if_the_client_closes_then(
    place: Place, wire: WireName
) -> None:
    async with client_of(place, wire=wire) as client:
        for number in range(5):
            await client.send({"number": number})
    await until(lambda: len(place.heard) == 5)
    assert place.heard == [{"number": number} for number in range(5)]


@pytest.mark.asyncio
async def test_a_position_goes_on_where_another_client_stopped(place: Place, wire: WireName) -> None:
    async with client_of(place, wire=wire) as client, client.subscribe("room") as subscription:
        for number in range(4):
            await client.publish("room", number)
        await taken(subscription, 2)
        position = subscription.position
    outcomes: list[Subscribed] = []
    async with (
        client_of(place, wire=wire) as client,
        client.subscribe("room", position=position, on_subscribed=outcomes.append) as subscription,
    ):
        assert [each.data for each in await taken(subscription, 2)] == [2, 3]
    assert [each.recovered for each in outcomes] == [True]


@pytest.mark.asyncio
async def test_joins_and_leaves_are_heard_where_they_are_asked_for(place: Place, wire: WireName) -> None:
    seen: list[str] = []

    def presence(change: Any) -> None:
        seen.append(f"+{change.join.info.user}" if change.join else f"-{change.leave.info.user}")

    async with (
        client_of(place, wire=wire, token="ada") as ada,
        ada.subscribe("room", join_leave=True, on_presence=presence),
    ):
        async with client_of(place, token="bob") as bob, bob.subscribe("room"):
            pass
        await until(lambda: "-bob" in seen)
    assert [each for each in seen if "bob" in each] == ["+bob", "-bob"]


@pytest.mark.asyncio
async def test_a_slow_reader_with_a_small_inbox_gets_everything_once_and_in_order(place: Place, wire: WireName) -> None:
    async with client_of(place, wire=wire) as client, client.subscribe("room", limit=7) as subscription:
        for number in range(60):
            await place.node.publish("room", number)
        found = await taken(subscription, 60)
        assert [each.data for each in found] == list(range(60))
        assert subscription.gaps == 0


@pytest.mark.asyncio
async def test_what_does_not_fit_in_a_signal_channel_is_dropped_counted_and_said(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(place) as client, client.subscribe("signal:x", limit=2) as subscription:
        for number in range(5):
            await client.publish("signal:x", number)
        await until(lambda: subscription.dropped == 3)
        assert [each.data for each in await taken(subscription, 2)] == [0, 1]
    assert "publications are dropped" in caplog.text


@pytest.mark.asyncio
async def test_nothing_is_left_behind_when_a_client_is_closed(place: Place, wire: WireName) -> None:
    before = asyncio.all_tasks()
    async with client_of(place, wire=wire) as client, client.subscribe("room"):
        reading = asyncio.ensure_future(client.rpc("forever"))
        await asyncio.sleep(0)
    with pytest.raises(RequestFailed) as caught:
        await reading
    assert caught.value.code == 120
    assert client.state is ClientState.CLOSED
    left = asyncio.all_tasks() - before - place.node._tasks
    assert not left


@pytest.mark.asyncio
async def test_iteration_ends_when_the_application_closes_the_client(place: Place) -> None:
    async with client_of(place) as client:
        async with client.subscribe("room") as subscription:
            asyncio.get_running_loop().call_later(0.05, lambda: closing.append(asyncio.ensure_future(client.close())))
            closing: list[asyncio.Future[None]] = []
            async with asyncio.timeout(SECONDS):
                assert [each async for each in subscription] == []
        await asyncio.gather(*closing)


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_errors_are_exceptions_with_their_code(place: Place, wire: WireName) -> None:
    async with client_of(place, wire=wire) as client:
        for asking, code, is_temporary in (
            (client.publish("closed:x", 1), 103, False),
            (client.history("closed:x"), 103, False),
            (client.presence("signal:x"), 108, False),
            (client.rpc("nothing"), 104, False),
            (client.rpc("count", "not a number"), 107, False),
            (client.rpc("broken"), 100, True),
            (client.publish("room", "x" * 70_000) if wire != "websocket" else client.rpc("nothing"), None, False),
        ):
            with pytest.raises(RequestFailed) as caught:
                await asking
            assert code is None or caught.value.code == code
            assert caught.value.is_temporary is is_temporary
            assert "secret" not in str(caught.value)
        with pytest.raises(RequestFailed, match="cannot be written as JSON"):
            await client.publish("room", object())
        with pytest.raises(SubscriptionEnded) as ended:
            async with client.subscribe("closed:x"):
                pass
        assert (ended.value.code, ended.value.channel) == (103, "closed:x")
        async with client.subscribe("room"):
            with pytest.raises(RequestFailed, match="already subscribed"):
                async with client.subscribe("room"):
                    pass
        async with client.subscribe("room"):
            """It may be subscribed again once it was left."""


@pytest.mark.asyncio
async def test_a_refused_token_is_final(place: Place, wire: WireName) -> None:
    states: list[StateChanged] = []
    with pytest.raises(ClientClosed) as caught:
        async with client_of(place, wire=wire, token="bad", on_state=states.append):
            pass
    assert caught.value.code == 3500
    assert [each.state for each in states] == [ClientState.OPENING, ClientState.CLOSED]


@pytest.mark.asyncio
async def test_who_is_disconnected_for_good_hears_it_in_the_iteration(place: Place, wire: WireName) -> None:
    async with client_of(place, wire=wire) as client, client.subscribe("room") as subscription:
        for session in list(place.node.sessions):
            place.node.disconnect(session, codes.FORCE_DISCONNECT, "out")
        with pytest.raises(ClientClosed, match="out") as caught:
            await taken(subscription, 1)
        assert caught.value.code == 3503


@pytest.mark.asyncio
async def test_a_server_that_is_not_there_is_an_error_after_the_timeout_that_says_why(
    unused_tcp_port: int, wire: WireName
) -> None:
    before = asyncio.get_running_loop().time()
    with pytest.raises(ClientClosed, match=r"within 0\.2 s") as caught:
        async with Client(f"http://127.0.0.1:{unused_tcp_port}", wire=wire, timeout=0.2):
            pass
    assert asyncio.get_running_loop().time() - before < 3
    if "poll" not in wire:
        assert "onnect" in caught.value.reason


@pytest.mark.asyncio
async def test_what_is_no_wirehop_server_is_tried_again_and_said(wire: WireName) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    with pytest.raises(ClientClosed, match="HTTP status 418"):
        async with Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", wire=wire, timeout=0.3):
            pass
    await close_listener(server)


@pytest.mark.asyncio
async def test_a_failing_callback_of_the_application_is_logged_and_harms_nothing(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("mine")

    async with client_of(place, on_state=broken) as client, client.subscribe("room", on_subscribed=broken):
        assert await client.rpc("echo", 1) == 1
    assert "a callback of the application failed" in caplog.text


# ---- when wires break ------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_after_cuts_nothing_is_missing_nothing_comes_twice_and_it_says_recovered(
    place: Place, cable: Cable, wire: WireName
) -> None:
    outcomes: list[bool | None] = []
    states: list[ClientState] = []
    async with (
        client_of(cable, wire=wire, on_state=lambda change: states.append(change.state)) as client,
        client.subscribe("room", on_subscribed=lambda live: outcomes.append(live.recovered)) as subscription,
    ):
        seen: list[object] = []
        for number in range(60):
            await place.node.publish("room", number)
            if number in (10, 35):
                seen += [each.data for each in await taken(subscription, number + 1 - len(seen) - 3)]
                cable.cut()
            await asyncio.sleep(0.002)
        seen += [each.data for each in await taken(subscription, 60 - len(seen))]
        assert seen == list(range(60))
        assert subscription.gaps == 0
    assert False not in outcomes
    if "poll" not in wire:
        assert ClientState.WAITING in states
        assert outcomes[-1] is True
    else:
        assert ClientState.WAITING not in states, "a poll that broke is followed by another: the wire goes on"


@pytest.mark.asyncio
async def test_a_restarted_server_cannot_recover_and_everybody_is_told(
    place: Place, wire: WireName, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wirehop.client")
    outcomes: list[bool | None] = []
    back = asyncio.Event()

    def live(subscribed: Subscribed) -> None:
        outcomes.append(subscribed.recovered)
        if subscribed.recovered is not None:
            back.set()

    async with (
        client_of(place, wire=wire) as client,
        client.subscribe("room", on_subscribed=live) as subscription,
    ):
        await client.publish("room", "before")
        assert [each.data for each in await taken(subscription, 1)] == ["before"]
        await place.stop()
        await place.start()
        async with asyncio.timeout(SECONDS):
            await back.wait()
        await client.publish("room", "after")
        after = await taken(subscription, 1)
        assert [(each.data, each.is_after_gap) for each in after] == [("after", True)]
        assert outcomes == [None, False]
        assert subscription.recovered is False
        assert subscription.gaps == 1
    assert "channel room: publications were missed and could not be recovered" in caplog.text
    assert "connection lost" in caplog.text


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", ["long-poll", "short-poll"])
async def test_over_polls_requests_are_carried_out_once_whatever_is_cut(
    place: Place, cable: Cable, wire: WireName
) -> None:
    async with client_of(cable, wire=wire) as client:
        for number in range(12):
            asked = asyncio.ensure_future(client.rpc("count", number))
            if number % 3 == 1:
                cable.drops_answers = 1  # the server has run it, and its answer is lost
            assert await asyncio.wait_for(asked, SECONDS) == number
    assert place.ran == list(range(12))


@pytest.mark.asyncio
async def test_over_event_streams_a_post_whose_answer_was_lost_is_repeated_and_run_once(place: Place) -> None:
    states: list[ClientState] = []
    async with client_of(place, wire="sse", on_state=lambda change: states.append(change.state)) as client:
        assert await client.rpc("count", 0) == 0
        posted = Cable(place)  # only what goes up passes through it
        await posted.open()
        wire: Any = client._driver._wires[client._driver.machine.wire].wire
        await wire._http.close()
        wire._http.address = type(wire._http.address)("127.0.0.1", posted.port)
        posted.drops_answers = 1
        assert await asyncio.wait_for(client.rpc("count", 1), SECONDS) == 1
        await until(lambda: posted.connections == 2)
        assert await asyncio.wait_for(client.rpc("count", 2), SECONDS) == 2
        await posted.close()
        assert ClientState.WAITING not in states
    assert place.ran == [0, 1, 2]


@pytest.mark.asyncio
async def test_a_first_poll_whose_answer_was_lost_gets_the_same_session(place: Place, cable: Cable) -> None:
    cable.drops_answers = 1
    async with client_of(cable, wire="long-poll") as client:
        assert await client.rpc("echo", 1) == 1
        assert len(place.node.sessions) == 1


@pytest.mark.asyncio
async def test_requests_made_without_a_connection_wait_for_one(place: Place, wire: WireName) -> None:
    async with client_of(place, wire=wire) as client:
        await client.rpc("echo", 0)
        await place.stop()
        await until(lambda: client.state is not ClientState.CONNECTED)
        asked = asyncio.ensure_future(client.rpc("echo", 1))
        await asyncio.sleep(0)
        assert not asked.done()
        await place.start()
        assert await asked == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", ["websocket", "sse"])
async def test_a_request_whose_wire_breaks_is_answered_on_the_next_one_and_runs_once(
    place: Place, cable: Cable, wire: WireName
) -> None:
    go, ran = asyncio.Event(), 0

    @place.node.rpc("gated")
    async def gated(_session: Session, data: Any) -> object:
        nonlocal ran
        ran += 1
        await go.wait()
        return data

    async with client_of(cable, wire=wire) as client:
        asked = asyncio.ensure_future(client.rpc("gated", "done"))
        await client.rpc("echo", 1)
        cable.cut()
        await until(lambda: client.state is not ClientState.CONNECTED)
        await until(lambda: client.state is ClientState.CONNECTED)
        assert not client.is_synced
        go.set()
        assert await asyncio.wait_for(asked, SECONDS) == "done"
        await asyncio.wait_for(client.synced(), SECONDS)
    assert ran == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", ["websocket", "sse"])
async def test_a_request_that_a_restarted_server_knows_nothing_of_fails_with_120(place: Place, wire: WireName) -> None:
    async with client_of(place, wire=wire) as client:
        asked = asyncio.ensure_future(client.rpc("forever"))
        await client.rpc("echo", 1)
        await place.stop()
        await place.start()
        with pytest.raises(RequestFailed) as caught:
            await asyncio.wait_for(asked, SECONDS)
        assert caught.value.code == 120


# ---- TLS, big connects -----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_same_over_tls_and_not_with_a_certificate_that_nobody_knows(wire: WireName) -> None:
    authority = trustme.CA()
    server, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(trusting)
    place = Place(server)
    await place.start()
    url = f"https://127.0.0.1:{place.port}"
    async with asyncio.timeout(SECONDS):
        async with Client(url, wire=wire, tls=trusting) as client, client.subscribe("room") as subscription:
            await client.publish("room", "secret")
            assert [each.data for each in await taken(subscription, 1)] == ["secret"]
        with pytest.raises(ClientClosed):
            async with Client(url, wire=wire, timeout=0.3):
                pass
    await place.stop()


@pytest.mark.asyncio
async def test_a_connect_that_does_not_fit_a_url_is_posted_first(place: Place) -> None:
    async with client_of(place, wire="sse", data="x" * 9_000) as client:
        assert await client.rpc("echo", 1) == 1


# ---- the channel's URL -----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_bare_event_stream_comes_back_by_its_cursor_and_says_whether_it_recovered(
    place: Place, cable: Cable
) -> None:
    changes: list[StreamChanged] = []
    source = ChannelEvents(
        f"http://127.0.0.1:{cable.port}", "room", on_change=changes.append, jitter=lambda: -1.0
    )  # no pause at all
    async with asyncio.timeout(SECONDS), contextlib.aclosing(aiter(source)) as events:
        reading = asyncio.ensure_future(anext(events))
        await until(lambda: bool(changes))
        await place.node.publish("room", 1)
        assert (await reading).data == "1"
        cable.cut()
        await place.node.publish("room", 2, event="hello")
        second = await anext(events)
        assert (second.data, second.event, second.id) == ("2", "hello", source.cursor)
        opened = [each.recovered for each in changes if each.is_open]
        assert opened == [None, True]
        await place.stop()
        await place.start()
        reading = asyncio.ensure_future(anext(events))
        await until(lambda: len([each for each in changes if each.is_open]) == 3)
        await place.node.publish("room", 3)
        assert (await reading).data == "3"
        opened = [each.recovered for each in changes if each.is_open]
        assert opened == [None, True, False]


@pytest.mark.asyncio
async def test_a_bare_event_stream_that_is_refused_ends_with_the_code(place: Place) -> None:
    source = ChannelEvents(f"http://127.0.0.1:{place.port}", "closed:x")
    async with asyncio.timeout(SECONDS):
        with pytest.raises(ClientClosed) as caught:
            await anext(aiter(source))
    assert caught.value.code == 103
