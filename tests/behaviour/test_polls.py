"""What only the poll wires promise (docs/poll.md): batches, acknowledgements, numbered polls and commands."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from node_under_test import Server, eventually, running, settings

from wirehop.node import Client, Node
from wirehop.testing.clock import ManualClock

pytestmark = pytest.mark.asyncio
CONNECT = {"id": 4_294_967_295, "connect": {"wh": {}}}
Ask = Callable[..., Any]


@pytest.fixture(params=["poll", "jsonp"])
def ask(request: pytest.FixtureRequest, server: Server) -> Ask:
    """`await ask(poll=1, …)`: one poll as given, its answer decoded."""

    async def ask(**body: Any) -> Any:
        if request.param == "poll":
            answer = await server.request("POST", "/connection/poll", body=json.dumps(body).encode())
            assert answer.header("content-type") == "application/json"
            assert answer.header("cache-control") == "no-store"
            return answer.json()
        target = "/connection/jsonp?callback=a.b_$1&body=" + quote(json.dumps(body))
        answer = await server.request("GET", target)
        assert (answer.status, answer.body[:13], answer.body[-2:]) == (200, b'/**/a.b_$1({"', b");")
        assert answer.header("content-type") == "application/javascript; charset=utf-8"
        assert answer.header("x-content-type-options") == "nosniff"
        return json.loads(answer.body[11:-2])

    return ask


@pytest_asyncio.fixture
async def session(ask: Ask) -> AsyncIterator[str]:
    """The secret of a session whose connect reply has been acknowledged with poll 2."""
    first = await ask(nonce="a-long-nonce", poll=1, ack=0, commands=[CONNECT])
    assert (first["poll"], first["batch"]) == (1, 1)
    secret = first["session"]
    assert first["replies"][0]["connect"]["session"] == secret
    await ask(session=secret, poll=2, ack=1)
    yield secret


async def test_a_repeated_first_poll_is_the_same_session(server: Server, ask: Ask) -> None:
    first = await ask(nonce="a-long-nonce", poll=1, commands=[CONNECT])
    again = await ask(nonce="a-long-nonce", poll=2, commands=[CONNECT])
    assert len(server.node.sessions) == 1
    assert {**first, "poll": 2} == again
    then = await ask(session=first["session"], poll=3, ack=1, commands=[{"id": 1, "ping": {}}])
    assert [reply["id"] for reply in then["replies"]] == [1]


async def test_a_first_poll_repeated_while_connect_runs_is_the_same_session(server: Server, ask: Ask) -> None:
    go = asyncio.Event()

    @server.node.on_connect
    async def connect(_connecting: object) -> None:
        await go.wait()

    first = asyncio.create_task(ask(nonce="a-long-nonce", poll=1, wait=5, commands=[CONNECT]))
    await eventually(lambda: server.node.sessions)
    second = asyncio.create_task(ask(nonce="a-long-nonce", poll=2, wait=5, commands=[CONNECT]))
    assert (await first)["replies"] == []
    go.set()
    answer = await second
    assert "connect" in answer["replies"][0]
    await ask(session=answer["session"], poll=3, ack=1, commands=[{"id": 1, "ping": {}}])
    assert len(server.node.sessions) == 1


async def test_a_batch_is_given_again_unchanged_until_it_is_acknowledged(
    server: Server, ask: Ask, session: str
) -> None:
    await ask(session=session, poll=3, ack=1, commands=[{"id": 1, "subscribe": {"channel": "quiet:a"}}])
    await server.node.publish("quiet:a", 1)
    batch = await ask(session=session, poll=4, ack=2)
    assert batch["batch"] == 3
    await server.node.publish("quiet:a", 2)
    again = await ask(session=session, poll=5, ack=2)
    assert {**again, "poll": 4} == batch
    then = await ask(session=session, poll=6, ack=3)
    assert then["batch"] == 4
    assert [reply["push"]["pub"]["data"] for reply in then["replies"]] == [2]
    nothing = await ask(session=session, poll=7, ack=4)
    assert nothing == {"session": session, "poll": 7, "replies": []}


async def test_a_held_poll_is_answered_as_soon_as_there_is_something(server: Server, ask: Ask, session: str) -> None:
    await ask(session=session, poll=3, ack=1, commands=[{"id": 1, "subscribe": {"channel": "quiet:a"}}])
    held = asyncio.create_task(ask(session=session, poll=4, ack=2, wait=20))
    await eventually(lambda: server.polls._wires[session]._answer is not None)
    await server.node.publish("quiet:a", "news")
    answer = await held
    assert (answer["poll"], answer["replies"][0]["push"]["pub"]["data"]) == (4, "news")


async def test_a_held_poll_is_answered_empty_when_its_wait_is_over(ask: Ask, session: str) -> None:
    answer = await ask(session=session, poll=3, ack=1, wait=0.1)
    assert answer == {"session": session, "poll": 3, "replies": []}


async def test_a_newer_poll_ends_the_one_that_is_held(server: Server, ask: Ask, session: str) -> None:
    held = asyncio.create_task(ask(session=session, poll=3, ack=1, wait=20))
    await eventually(lambda: server.polls._wires[session]._answer is not None)
    newer = await ask(session=session, poll=4, ack=1, commands=[{"id": 1, "ping": {}}])
    assert await held == {"session": session, "poll": 3, "replies": []}
    assert [reply["id"] for reply in newer["replies"]] == [1]


async def test_a_straggler_gets_nothing_but_its_commands_run(ask: Ask, session: str) -> None:
    await ask(session=session, poll=9, ack=1)
    late = await ask(session=session, poll=8, ack=1, wait=5, commands=[{"id": 1, "ping": {}}])
    assert late == {"session": session, "poll": 8, "replies": []}
    answer = await ask(session=session, poll=10, ack=1)
    assert [reply["id"] for reply in answer["replies"]] == [1]


async def test_repeated_commands_run_once(server: Server, ask: Ask, session: str) -> None:
    ran: list[int] = []

    @server.node.rpc("count")
    async def count(_client: Client, n: int) -> int:
        ran.append(n)
        return n

    command = {"id": 1, "rpc": {"method": "count", "data": 7}}
    await ask(session=session, poll=3, ack=1, commands=[command])
    await ask(session=session, poll=4, ack=1, commands=[command])
    answer = await ask(session=session, poll=5, ack=1, commands=[command, {"id": 2, "ping": {}}])
    await eventually(lambda: not server.tasks)
    assert ran == [7]
    assert answer["replies"] == [{"id": 1, "rpc": {"data": 7}}]


async def test_commands_run_in_the_order_of_their_numbers(server: Server, ask: Ask, session: str) -> None:
    def publish(number: int) -> dict[str, Any]:
        return {"id": number, "publish": {"channel": "quiet:a", "data": number}}

    await ask(session=session, poll=3, ack=1, commands=[publish(3)])
    await ask(session=session, poll=4, ack=1, commands=[publish(2)])
    assert (await server.node.history("quiet:a")).publications == ()
    await ask(session=session, poll=5, ack=1, commands=[publish(1)])
    history = await server.node.history("quiet:a")
    assert [each.data for each in history.publications] == [b"1", b"2", b"3"]


async def test_acknowledging_a_batch_that_was_never_given_ends_the_session(
    server: Server, ask: Ask, session: str
) -> None:
    answer = await ask(session=session, poll=3, ack=5)
    assert answer["error"]["code"] == 107
    assert not server.node.sessions


async def test_a_session_that_is_not_known_is_404(server: Server) -> None:
    body = json.dumps({"session": "nobody", "poll": 1}).encode()
    answer = await server.request("POST", "/connection/poll", body=body)
    assert (answer.status, answer.json()["error"]["code"]) == (404, 102)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"poll":0,"nonce":"12345678"}',
        b'{"poll":1}',
        b'{"poll":1,"nonce":"short"}',
        b'{"poll":1,"nonce":"%b"}' % (b"x" * 129),
        b'{"poll":1,"nonce":"12345678"}',
        b'{"poll":1,"nonce":"12345678","commands":[{"id":1,"ping":{}}]}',
        b'{"poll":1,"nonce":"12345678","commands":[{"id":1,"connect":{}}]}',
        b'{"poll":1,"nonce":"12345678","commands":[{"id":1,"connect":{"wh":{}}},{"id":1,"ping":{}}]}',
        b'{"poll":1,"nonce":"12345678","commands":{}}',
        b'{"poll":1,"nonce":"12345678","ack":-1,"commands":[{"id":1,"connect":{"wh":{}}}]}',
        b'{"poll":1,"nonce":"12345678","wait":-1,"commands":[{"id":1,"connect":{"wh":{}}}]}',
        b'{"poll":1,"nonce":"12345678","wait":1e999,"commands":[{"id":1,"connect":{"wh":{}}}]}',
        b'{"poll":1,"nonce":"1234567\xff","commands":[{"id":1,"connect":{"wh":{}}}]}',
    ],
)
async def test_polls_that_make_no_sense_are_400_and_open_nothing(server: Server, body: bytes) -> None:
    answer = await server.request("POST", "/connection/poll", body=body)
    assert (answer.status, answer.json()["error"]["code"]) == (400, 107)
    assert server.leftovers() == {}


async def test_other_methods_are_405(server: Server) -> None:
    answer = await server.request("GET", "/connection/poll")
    assert (answer.status, answer.header("allow")) == (405, "POST, OPTIONS")
    assert (await server.request("POST", "/connection/jsonp", body=b"{}")).status == 405


async def test_a_poll_whose_peer_goes_away_keeps_its_answer_for_the_next(server: Server, session: str) -> None:
    body = json.dumps({"session": session, "poll": 3, "ack": 1, "wait": 20}).encode()
    wire = server.polls._wires[session]
    held = asyncio.create_task(server.request("POST", "/connection/poll", body=body))
    await eventually(lambda: wire._answer is not None)
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    await eventually(lambda: wire._answer is None)
    assert server.node.sessions


async def test_after_the_end_and_its_acknowledgement_the_session_is_not_known(
    server: Server, ask: Ask, session: str
) -> None:
    (client,) = server.node.sessions
    server.node.disconnect(client)
    last = await ask(session=session, poll=3, ack=1)
    assert last["replies"][0]["push"]["disconnect"]["code"] == 3503
    after = await ask(session=session, poll=4, ack=2, wait=5)
    assert after["error"]["code"] == 102


async def test_a_session_that_is_not_polled_ends_after_its_grace() -> None:
    clock = ManualClock()
    async with running(Node(settings(), clock=clock)) as server:
        body = {"nonce": "a-long-nonce", "poll": 1, "wait": 0.01, "commands": [CONNECT]}
        first = (await server.request("POST", "/connection/poll", body=json.dumps(body).encode())).json()
        subscribe = {"id": 1, "subscribe": {"channel": "news"}}
        body = {"session": first["session"], "poll": 2, "ack": 1, "wait": 10, "commands": [subscribe]}
        await server.request("POST", "/connection/poll", body=json.dumps(body).encode())
        assert server.node.sessions
        clock.advance(39.9)
        server.node.wheel._fire(server.node.wheel._armed)
        assert server.node.sessions
        assert len(await server.node.presence("news")) == 1
        clock.advance(0.3)
        server.node.wheel._fire(server.node.wheel._armed)
        assert not server.node.sessions
        assert server.leftovers() == {}


async def test_a_large_burst_comes_in_batches_of_64_kib(server: Server, ask: Ask, session: str) -> None:
    await ask(session=session, poll=3, ack=1, commands=[{"id": 1, "subscribe": {"channel": "quiet:a"}}])
    for n in range(200):
        await server.node.publish("quiet:a", f"{n:04}" + "x" * 1000)
    seen: list[int] = []
    ack, poll = 2, 4
    while len(seen) < 200:
        answer = await ask(session=session, poll=poll, ack=ack, wait=1)
        assert len(json.dumps(answer)) < 70_000
        ack, poll = answer.get("batch", ack), poll + 1
        seen += [int(reply["push"]["pub"]["data"][:4]) for reply in answer["replies"]]
    assert seen == list(range(200))


async def test_what_no_poll_fetches_stays_bounded_and_comes_from_history(
    server: Server, ask: Ask, session: str
) -> None:
    await ask(session=session, poll=3, ack=1, commands=[{"id": 1, "subscribe": {"channel": "quiet:a"}}])
    wire = server.polls._wires[session]
    for n in range(300):
        await server.node.publish("quiet:a", f"{n:04}" + "x" * 1000)
        await asyncio.sleep(0)
    assert wire._is_full
    assert wire._batches._size < 75_000
    seen: list[int] = []
    ack, poll = 2, 4
    while len(seen) < 300:
        answer = await ask(session=session, poll=poll, ack=ack, wait=1)
        ack, poll = answer.get("batch", ack), poll + 1
        seen += [int(reply["push"]["pub"]["data"][:4]) for reply in answer["replies"]]
    assert seen == list(range(300))


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "a;b", "a(b", "a..b", ".a", "a.", "é", "x" * 65, "a\n"])
async def test_callbacks_that_are_no_function_names_are_refused(server: Server, name: str) -> None:
    body = quote(json.dumps({"nonce": "a-long-nonce", "poll": 1, "commands": [CONNECT]}))
    answer = await server.request("GET", f"/connection/jsonp?callback={quote(name)}&body={body}")
    assert answer.status == 400
    assert answer.header("content-type") == "application/json"
    assert server.leftovers() == {}


async def test_jsonp_escapes_what_ends_a_line_in_old_scripts(server: Server) -> None:
    @server.node.rpc("echo")
    async def echo(_client: Client, data: str) -> str:
        return data

    async def poll(**body: Any) -> bytes:
        target = "/connection/jsonp?callback=go&body=" + quote(json.dumps(body, ensure_ascii=False))
        return (await server.request("GET", target)).body

    first = await poll(nonce="a-long-nonce", poll=1, commands=[CONNECT])
    session = json.loads(first[7:-2])["session"]
    rpc = {"id": 1, "rpc": {"method": "echo", "data": "a\u2028b\u2029c"}}
    answer = await poll(session=session, poll=2, ack=1, wait=5, commands=[rpc])
    assert "\u2028".encode() not in answer
    assert b"a\\u2028b\\u2029c" in answer


@pytest.mark.parametrize("server", [{"transports": settings().transports.__class__()}], indirect=True)
async def test_jsonp_is_off_unless_switched_on(server: Server) -> None:
    assert (await server.request("GET", "/connection/jsonp?callback=go&body={}")).status == 404
