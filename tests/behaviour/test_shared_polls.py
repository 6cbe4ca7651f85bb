"""Long polls by nobody in particular wait together: one slot, one answer, and each still trusts only its own cursor."""

import asyncio
from typing import Any

import pytest
from msgspec import structs
from node_under_test import NAMESPACES, Server, eventually, limits, running, settings

from wirehop.brokers.memory import MemoryBroker
from wirehop.core.messages import Position
from wirehop.core.recovery import HistoryPage
from wirehop.node import Client, Node
from wirehop.node.clock import SecretIds, SystemClock
from wirehop.node.tops import compare_tops
from wirehop.transports.channels import waiting

pytestmark = pytest.mark.asyncio
CHANNEL = "quiet:polled"


def polls(server: Server) -> Any:
    return server.site._channels._polls  # type: ignore[union-attr]


async def start(
    server: Server, count: int, *, wait: str = "20s", **options: Any
) -> tuple[str, list[asyncio.Task[Any]]]:
    """`count` polls that wait at the top, and their cursor."""
    top = await server.node.publish(CHANNEL, "first")
    cursor = f"{top.epoch}:{top.offset}"
    target = f"/channels/{CHANNEL}?wait={wait}&cursor={cursor}"
    held = [asyncio.create_task(server.request("GET", target, **options)) for _ in range(count)]
    await eventually(lambda: polls(server).count == count)
    return cursor, held


async def test_all_who_wait_share_one_slot_and_one_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = []
    monkeypatch.setattr(waiting.LANE, "render", lambda *given: rendered.append(given) or waiting.render(*given))
    cursor, held = await start(server, 30)
    assert server.node.hub.channels[CHANNEL].count == 1
    assert not server.node.sessions
    assert server.node.connections() == {"channel-poll": 30}
    for data in ("second", "third"):
        await server.node.publish(CHANNEL, data)
    answers = [answer.json() for answer in await asyncio.gather(*held)]
    assert len(rendered) == 2, "each publication once, for everybody"
    assert answers == [answers[0]] * 30
    assert [each["data"] for each in answers[0]["publications"]] == ["second", "third"]
    assert answers[0]["cursor"] == cursor.replace(":1", ":3")
    assert polls(server).count == 0
    await eventually(lambda: server.leftovers() == {})


async def test_more_than_one_turn_can_answer_are_all_answered(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "ANSWERS_PER_TURN", 3)
    _, held = await start(server, 20)
    await server.node.publish(CHANNEL, "second")
    assert [answer.json()["publications"][0]["data"] for answer in await asyncio.gather(*held)] == ["second"] * 20


async def test_who_asks_from_another_origin_gets_the_headers_of_that_origin() -> None:
    async with running(origins=structs.replace(settings().origins, allowed=("https://a.example",))) as server:
        _, held = await start(server, 1, headers=[("Origin", "https://a.example")])
        target = f"/channels/{CHANNEL}?wait=20s&cursor={next(iter(polls(server)._rooms.values())).cursor}"
        plain = asyncio.create_task(server.request("GET", target))
        await eventually(lambda: polls(server).count == 2)
        await server.node.publish(CHANNEL, "second")
        assert (await held[0]).header("access-control-allow-origin") == "https://a.example"
        assert "access-control-allow-origin" not in dict((await plain).headers)


async def test_a_poll_that_comes_late_is_given_the_same_answer_and_one_from_further_back_its_own(
    server: Server,
) -> None:
    cursor, held = await start(server, 1)
    await server.node.publish(CHANNEL, "second")
    first = (await held[0]).json()
    late = (await server.request("GET", f"/channels/{CHANNEL}?wait=20s&cursor={cursor}")).json()
    assert late == first
    back = (await server.request("GET", f"/channels/{CHANNEL}?wait=20s&cursor={cursor.replace(':1', ':0')}")).json()
    assert [each["data"] for each in back["publications"]] == ["first", "second"]


async def test_a_gap_makes_every_poll_read_for_itself(server: Server) -> None:
    """The broker's log has more than this node was told of: nobody misses it."""
    _, held = await start(server, 5)
    hub: Any = server.node.hub
    receive = hub.published
    hub.published = lambda *_: None
    await server.node.publish(CHANNEL, "lost on the way")
    hub.published = receive
    await server.node.publish(CHANNEL, "second")
    for answer in await asyncio.gather(*held):
        assert [each["data"] for each in answer.json()["publications"]] == ["lost on the way", "second"]
        assert "recovered" not in answer.json()


async def test_a_lost_last_publication_is_found_by_comparing_tops(server: Server) -> None:
    _, held = await start(server, 3)
    hub: Any = server.node.hub
    receive = hub.published
    hub.published = lambda *_: None
    await server.node.publish(CHANNEL, "the last")
    hub.published = receive
    assert await compare_tops(server.node) == 1
    for answer in await asyncio.gather(*held):
        assert [each["data"] for each in answer.json()["publications"]] == ["the last"]


async def test_a_new_epoch_is_said_to_everybody(server: Server) -> None:
    _, held = await start(server, 3)
    broker: Any = server.node.broker
    del broker._logs[CHANNEL]
    await server.node.publish(CHANNEL, "of another log")
    for answer in await asyncio.gather(*held):
        assert answer.json()["recovered"] is False
        assert answer.json()["publications"] == []


async def test_waits_of_several_lengths_end_in_their_order(server: Server) -> None:
    cursor, held = await start(server, 1, wait="300ms")
    target = f"/channels/{CHANNEL}?wait=50ms&cursor={cursor}"
    short = await server.request("GET", target)
    assert not held[0].done()
    assert short.json() == (await held[0]).json() == {"cursor": cursor, "publications": []}


async def test_a_room_is_left_open_for_a_moment_and_then_closed(server: Server) -> None:
    _, held = await start(server, 1)
    await server.node.publish(CHANNEL, "second")
    await asyncio.gather(*held)
    assert CHANNEL in polls(server)._rooms
    await eventually(lambda: not polls(server)._rooms)
    assert server.leftovers() == {}


async def test_who_goes_is_forgotten_and_the_others_stay(server: Server) -> None:
    _, held = await start(server, 3)
    held[0].cancel()
    await eventually(lambda: polls(server).count == 2)
    await server.node.publish(CHANNEL, "second")
    assert len(await asyncio.gather(*held[1:])) == 2


async def test_who_goes_while_the_others_are_answered_harms_nobody(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "ANSWERS_PER_TURN", 1)
    _, held = await start(server, 6)
    (room,) = polls(server)._rooms.values()
    (queue,) = room._queues.values()
    *_, last = queue
    give, waited = waiting.Answer.give, []

    def give_and_lose_the_last(answer: waiting.Answer, those: Any) -> None:
        give(answer, those)
        waited.append(len(room._answering))
        last.gone()

    monkeypatch.setattr(waiting.Answer, "give", give_and_lose_the_last)
    await server.node.publish(CHANNEL, "second")
    answers = [answer.json() for answer in await asyncio.gather(*held)]
    assert [len(answer["publications"]) for answer in answers] == [1] * 6
    assert waited == [1] * 5 + [0], "some were still to be answered"
    assert polls(server).count == 0
    assert not queue, "who is answered is let go"


async def test_the_same_poll_with_a_credential_is_not_taken_for_the_others(server: Server) -> None:
    cursor, held = await start(server, 3)
    target = f"/channels/{CHANNEL}?wait=20s&cursor={cursor}"
    held.append(asyncio.create_task(server.request("GET", target, headers=[("Authorization", "Bearer x")])))
    await eventually(lambda: len(server.node.sessions) == 1)
    assert polls(server).count == 3
    await server.node.publish(CHANNEL, "second")
    answers = [answer.json() for answer in await asyncio.gather(*held)]
    assert [len(answer["publications"]) for answer in answers] == [1] * 4


async def test_the_limit_of_sessions_counts_those_who_wait() -> None:
    async with running(limits=limits(sessions=3)) as server:
        cursor, held = await start(server, 3)
        answer = await server.request("GET", f"/channels/{CHANNEL}?wait=20s&cursor={cursor}")
        assert (answer.status, answer.json()["error"]["code"]) == (503, 3504)
        await server.node.publish(CHANNEL, "second")
        await asyncio.gather(*held)
        assert (await server.request("GET", f"/channels/{CHANNEL}?wait=0")).status == 200


async def test_a_stopping_node_answers_them_with_their_cursor_and_takes_no_more(server: Server) -> None:
    cursor, held = await start(server, 4)
    await server.node.drain(0.0)
    assert [answer.json() for answer in await asyncio.gather(*held)] == [{"cursor": cursor, "publications": []}] * 4
    assert (await server.request("GET", f"/channels/{CHANNEL}?wait=0")).status == 503


@pytest.mark.parametrize("header", [("Authorization", "Bearer x")])
async def test_who_brings_a_credential_waits_in_a_session_of_his_own(server: Server, header: tuple[str, str]) -> None:
    top = await server.node.publish(CHANNEL, "first")
    target = f"/channels/{CHANNEL}?wait=20s&cursor={top.epoch}:1"
    held = asyncio.create_task(server.request("GET", target, headers=[header]))
    await eventually(lambda: len(server.node.sessions) == 1)
    assert polls(server).count == 0
    await server.node.publish(CHANNEL, "second")
    assert (await held).json()["publications"][0]["data"] == "second"


async def test_a_handler_registered_later_is_asked_about_everybody_from_then_on(server: Server) -> None:
    cursor, held = await start(server, 1)
    asked = []

    @server.node.on_subscribe
    async def subscribe(client: Client, channel: str) -> None:
        asked.append((client.user, channel))

    again = asyncio.create_task(server.request("GET", f"/channels/{CHANNEL}?wait=20s&cursor={cursor}"))
    await eventually(lambda: asked)
    await server.node.publish(CHANNEL, "second")
    assert (await again).json() == (await held[0]).json()


async def test_what_the_namespace_denies_is_denied(server: Server) -> None:
    for channel, status in (("closed:x", 403), ("members:x", 403), ("x" * 300, 400)):
        assert (await server.request("GET", f"/channels/{channel}?wait=20s")).status == status
        assert (await server.request("POST", f"/channels/{channel}", body=b"x")).status == status


class FarBroker(MemoryBroker):
    """Answers in a later turn of the loop."""

    async def history(self, channel: str, since: Position | None, **options: Any) -> HistoryPage:
        await asyncio.sleep(0.001)
        page = await super().history(channel, since, **options)
        await asyncio.sleep(0.001)
        return page

    async def subscribe(self, channel: str) -> None:
        await asyncio.sleep(0.002)


async def test_with_a_broker_that_is_far_away_nobody_misses_anything() -> None:
    node = Node(settings(namespaces=NAMESPACES), broker=FarBroker(SystemClock(), SecretIds()))
    async with running(node) as server:

        async def follow() -> list[int]:
            seen: list[int] = []
            at = (await server.request("GET", f"/channels/{CHANNEL}?wait=0")).json()["cursor"]
            ready.set()
            while len(seen) < 60:
                answer = (await server.request("GET", f"/channels/{CHANNEL}?wait=5s&cursor={at}")).json()
                assert "recovered" not in answer
                at = answer["cursor"]
                seen += [each["data"] for each in answer["publications"]]
            return seen

        ready = asyncio.Event()
        following = [asyncio.create_task(follow()) for _ in range(8)]
        await ready.wait()
        await asyncio.sleep(0.05)
        for number in range(60):
            await server.node.publish(CHANNEL, number)
            await asyncio.sleep(0.001 * (number % 4))
        for seen in await asyncio.gather(*following):
            assert seen == list(range(60))


async def test_a_broker_that_fails_is_an_error_and_no_room_is_left(server: Server) -> None:
    top = await server.node.publish(CHANNEL, "first")
    broker: Any = server.node.broker

    async def fails(*_: object, **__: object) -> HistoryPage:
        raise OSError("the broker is gone")

    history, broker.history = broker.history, fails
    answer = await server.request("GET", f"/channels/{CHANNEL}?wait=20s&cursor={top.epoch}:1")
    assert (answer.status, answer.json()["error"]["code"]) == (500, 100)
    broker.history = history
    assert server.leftovers() == {}


async def test_answers_of_one_connection_stay_in_order(server: Server) -> None:
    """A held poll and what is pipelined behind it."""
    cursor, held = await start(server, 0)
    del held
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for target in (f"/channels/{CHANNEL}?wait=20s&cursor={cursor}", "/health"):
        writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await eventually(lambda: polls(server).count == 1)
    await server.node.publish(CHANNEL, "second")
    data = b""
    while b'"status":"ok"' not in data:
        data += await asyncio.wait_for(reader.read(65_536), 5)
    assert data.index(b'"second"') < data.index(b'"status":"ok"')
    writer.close()
