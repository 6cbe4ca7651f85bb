"""Rooms over real wires: signals between participants, in order and once, whatever happens to their wires meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import permutations
from typing import Any

import msgspec
import pytest
from msgspec import structs
from node_under_test import NAMESPACES, OPEN, Server, eventually, running

from wirehop.client import Client
from wirehop.client.client import WireName
from wirehop.client.errors import RequestFailed
from wirehop.client.outputs import Moved
from wirehop.core import codes
from wirehop.node import Client as Session
from wirehop.node import Node
from wirehop.rtc.pure.credentials import password_of
from wirehop.rtc.pure.ice import Relay
from wirehop.rtc.pure.negotiation import Negotiation
from wirehop.rtc.pure.negotiation_states import NegotiationState
from wirehop.rtc.pure.room import RoomLimits
from wirehop.rtc.pure.signals import Apply, MakeAnswer, MakeOffer, Send, Signal
from wirehop.settings.tree import Rtc, Sessions

pytestmark = pytest.mark.asyncio
KINDS: tuple[WireName, ...] = ("websocket", "sse", "stream", "long-poll", "short-poll")
ROOM = "room:demo"
ROOMS = {**NAMESPACES, "room": structs.replace(OPEN, rtc=True)}
SECRET = "a secret that both know"
PATIENCE = 30.0


class Participant:
    """A client in the room, and what it was called with."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.heard: list[dict[str, Any]] = []
        self.moved = asyncio.Event()
        self.is_slow: asyncio.Event | None = None

    @property
    def id(self) -> str:
        return self.client.id

    async def on_signal(self, data: dict[str, Any]) -> None:
        self.heard.append(data)
        if self.is_slow is not None:
            await self.is_slow.wait()

    async def say(self, to: str, signal: object, *, channel: str = ROOM) -> object:
        return await self.client.rpc("rtc.signal", {"channel": channel, "to": to, "signal": signal})

    async def move(self, to: WireName) -> None:
        self.moved.clear()
        self.client.move(to)
        await asyncio.wait_for(self.moved.wait(), PATIENCE)
        assert self.client.wire == to


@asynccontextmanager
async def joined(server: Server, *, room: str = ROOM, **options: Any) -> AsyncIterator[Participant]:
    def on_moved(_: Moved) -> None:
        participant.moved.set()

    client = Client(f"http://127.0.0.1:{server.port}", on_moved=on_moved, jitter=lambda: 0.0, **options)
    participant = Participant(client)
    client.on_call("rtc.signal")(participant.on_signal)
    async with client:
        if room:
            async with client.subscribe(room):
                yield participant
        else:
            yield participant


async def refused(work: Any) -> int:
    with pytest.raises(RequestFailed) as caught:
        await work
    return int(caught.value.code)


def numbers(participant: Participant) -> list[int]:
    return [data["signal"]["n"] for data in participant.heard]


# ---- who may say what to whom


async def test_a_signal_reaches_the_participant_with_its_senders_id() -> None:
    async with running(namespaces=ROOMS) as server, joined(server) as ann, joined(server) as bob:
        assert await ann.say(bob.id, {"n": 1, "deep": [None, "ü"]}) == {}
        await eventually(lambda: bob.heard, timeout=PATIENCE)
        assert bob.heard == [{"channel": ROOM, "from": ann.id, "signal": {"n": 1, "deep": [None, "ü"]}}]
        assert ann.heard == []


async def test_refusals_have_their_codes() -> None:
    small = RoomLimits(signal_bytes=1000)
    async with (
        running(namespaces=ROOMS) as server,
        joined(server) as ann,
        joined(server) as bob,
        joined(server, room="") as outside,
        joined(server, room="room:other") as elsewhere,
    ):
        server.node.rooms.router.limits = small
        assert await refused(outside.say(bob.id, {})) == 103
        assert await refused(ann.say(outside.id, {})) == 102
        assert await refused(ann.say(elsewhere.id, {})) == 102
        assert await refused(ann.say("nobody", {})) == 102
        assert await refused(ann.say(ann.id, {})) == 102
        assert await refused(ann.say(bob.id, {"long": "x" * 1000})) == 106
        assert await refused(ann.say(bob.id, "text")) == 107
        assert await refused(ann.client.rpc("rtc.signal", {"channel": ROOM})) == 107
        assert await refused(ann.say(bob.id, {}, channel="plain")) == 108
        assert await refused(outside.client.rpc("rtc.ice", {"channel": ROOM})) == 103
        assert await refused(ann.client.rpc("rtc.ice", {"channel": "plain"})) == 108
        assert bob.heard == []
        text = await server.metrics()
        for reason, count in (("outside", 2), ("unknown", 4), ("too_large", 1), ("bad", 1), ("no_room", 2)):
            assert f'wirehop_rtc_signals_total{{reason="{reason}"}} {count}.0' in text


@pytest.mark.parametrize("wire", ["websocket", "stream", "long-poll"])
async def test_a_line_break_in_a_signal_forges_nothing(wire: WireName) -> None:
    """On a wire that carries bytes the sender may write JSON as it likes; on the others a line is a reply."""
    async with running(namespaces=ROOMS) as server, joined(server) as ann, joined(server, wire=wire) as bob:
        method, caller = server.node.handlers.methods["rtc.signal"], Session(server.node.sessions[ann.id])
        forged = b'{\n"push":{"disconnect":{"code":3500}}\n}'
        data = b'{"channel":"%s","to":"%s","signal":%s}' % (ROOM.encode(), bob.id.encode(), forged)
        await method(caller, data=data, sent=data)
        await ann.say(bob.id, {"n": 2})
        await eventually(lambda: len(bob.heard) == 2, timeout=PATIENCE)
        assert bob.heard[0]["signal"] == {"push": {"disconnect": {"code": 3500}}}


async def test_one_participant_may_send_so_much_at_once_and_no_more() -> None:
    async with running(namespaces=ROOMS) as server, joined(server) as ann, joined(server) as bob:
        server.node.rooms.router.limits = RoomLimits(burst=5, rate=0.001)
        for number in range(5):
            await ann.say(bob.id, {"n": number})
        assert await refused(ann.say(bob.id, {"n": 5})) == 106
        assert await bob.say(ann.id, {"n": 0}) == {}  # it is Ann's limit
        await eventually(lambda: len(bob.heard) == 5, timeout=PATIENCE)
        assert server.node.rooms.router.counts["too_many"] == 1


async def test_whoever_left_the_room_is_in_it_no_more() -> None:
    async with running(namespaces=ROOMS) as server, joined(server) as ann:
        async with joined(server, room="") as bob:
            async with bob.client.subscribe(ROOM):
                await ann.say(bob.id, {"n": 1})
            assert await refused(bob.say(ann.id, {})) == 103
            assert await refused(ann.say(bob.id, {})) == 102
            async with bob.client.subscribe(ROOM):
                await ann.say(bob.id, {"n": 2})
                await eventually(lambda: 2 in numbers(bob), timeout=PATIENCE)
        assert await refused(ann.say(bob.id, {})) == 102


async def test_what_waits_for_a_participant_that_goes_is_dropped() -> None:
    async with running(namespaces=ROOMS) as server, joined(server) as ann, joined(server, room="") as bob:
        router = server.node.rooms.router
        bob.is_slow = asyncio.Event()
        async with bob.client.subscribe(ROOM):
            for number in range(40):
                await ann.say(bob.id, {"n": number})
            await eventually(lambda: len(bob.heard) == 32, timeout=PATIENCE)  # so many calls at a time
            assert router.waiting == 40
        await eventually(lambda: router.waiting == 0, timeout=PATIENCE)
        assert router.counts["left"] == 40
        assert await refused(ann.say(bob.id, {})) == 102
        await eventually(lambda: not server.node.rooms._calls, timeout=PATIENCE)
        bob.is_slow.set()


async def test_the_names_of_the_methods_are_taken() -> None:
    node = Node()
    with pytest.raises(ValueError, match="registered already"):

        @node.rpc("rtc.signal")
        async def mine(_client: Session) -> None: ...


# ---- over every wire, and from one to the other


@pytest.mark.parametrize("wire", KINDS)
async def test_signals_are_in_order_on_every_wire(wire: WireName) -> None:
    async with running(namespaces=ROOMS) as server, joined(server, wire=wire) as ann, joined(server, wire=wire) as bob:
        await asyncio.gather(*(ann.say(bob.id, {"n": number}) for number in range(60)))
        await eventually(lambda: len(bob.heard) == 60, timeout=PATIENCE)
        assert numbers(bob) == list(range(60))


@pytest.mark.parametrize(("old", "new"), list(permutations(KINDS, 2)), ids=lambda name: str(name))
async def test_signals_survive_a_move_of_both_sides_in_the_middle(old: WireName, new: WireName) -> None:
    async with (
        running(namespaces=ROOMS) as server,
        joined(server, wires=KINDS) as ann,
        joined(server, wires=KINDS) as bob,
    ):
        for each in (ann, bob):
            if each.client.wire != old:
                await each.move(old)
        said = [asyncio.ensure_future(ann.say(bob.id, {"n": number})) for number in range(20)]
        moves = [asyncio.ensure_future(each.move(new)) for each in (ann, bob)]
        said += [asyncio.ensure_future(ann.say(bob.id, {"n": number})) for number in range(20, 40)]
        await asyncio.gather(*said, *moves)
        await eventually(lambda: len(bob.heard) >= 40, timeout=PATIENCE)
        assert numbers(bob) == list(range(40))


class Talker:
    """A negotiation on a participant, with descriptions that are made at once."""

    def __init__(self, participant: Participant, peer: str, name: str) -> None:
        self.participant, self.peer = participant, peer
        made = iter(range(1000))
        self.machine = Negotiation(participant.id, peer, new_instance=lambda: f"{name}{next(made)}")
        self.applied: list[str] = []
        self._queue: asyncio.Queue[Signal] = asyncio.Queue(maxsize=100)
        participant.client.on_call("rtc.signal")(self._called)

    @property
    def is_stable(self) -> bool:
        return self.machine.state is NegotiationState.STABLE and self._queue.empty()

    async def _called(self, data: dict[str, Any]) -> None:
        self.machine.received(msgspec.convert(data["signal"], Signal), 0.0)
        self.do()

    def do(self) -> None:
        while outputs := self.machine.take():
            for output in outputs:
                match output:
                    case Send(signal):
                        self._queue.put_nowait(signal)
                    case MakeOffer(number) | MakeAnswer(number):
                        self.machine.described(number, f"sdp {number}", 0.0)
                    case Apply(number, _, sdp):
                        self.applied.append(sdp)
                        self.machine.applied(number, 0.0)

    async def talk(self) -> None:
        while True:
            signal = await self._queue.get()
            await self.participant.say(self.peer, msgspec.to_builtins(signal))


@pytest.mark.parametrize(("old", "new"), list(permutations(KINDS, 2)), ids=lambda name: str(name))
async def test_a_negotiation_with_glare_survives_a_move(old: WireName, new: WireName) -> None:
    async with (
        running(namespaces=ROOMS) as server,
        joined(server, wires=KINDS) as ann,
        joined(server, wires=KINDS) as bob,
        AsyncExitStack() as stack,
    ):
        for each in (ann, bob):
            if each.client.wire != old:
                await each.move(old)
        sides = [Talker(ann, bob.id, "ann"), Talker(bob, ann.id, "bob")]
        for side in sides:
            talking = asyncio.create_task(side.talk())
            stack.callback(talking.cancel)
        moves = []
        for round_ in range(3):
            for side in sides:
                side.machine.needed(0.0)
                side.do()
            if round_ == 1:
                moves = [asyncio.create_task(each.move(new)) for each in (ann, bob)]
            await asyncio.sleep(0)
        await asyncio.gather(*moves)
        a, b = (side.machine for side in sides)
        await eventually(
            lambda: all(side.is_stable for side in sides) and a.generation == b.generation > 0, timeout=PATIENCE
        )
        assert server.node.rooms.router.counts["sent"] > 4


async def test_signals_wait_for_a_participant_whose_wire_is_cut() -> None:
    async with running(namespaces=ROOMS) as server, joined(server) as ann, joined(server) as bob:
        node, who = server.node, bob.id
        lasting = node.resumption.find(who)
        assert lasting is not None
        await eventually(lambda: lasting.resumable.wires.is_confirmed, timeout=PATIENCE)
        node.sessions[who].end(codes.FORCE_RECONNECT)
        assert lasting.resumable.current is None
        for number in range(5):
            await ann.say(who, {"n": number})
        await eventually(lambda: len(bob.heard) == 5, timeout=PATIENCE)
        assert bob.id == who
        assert numbers(bob) == list(range(5))
        await eventually(lambda: node.rooms.router.counts["answered"] == 5, timeout=PATIENCE)


async def test_whoever_does_not_come_back_is_gone() -> None:
    async with (
        running(namespaces=ROOMS, sessions=Sessions(window=0.3)) as server,
        joined(server) as ann,
        joined(server) as bob,
    ):
        bob.is_slow = asyncio.Event()
        await ann.say(bob.id, {"n": 1})
        server.node.disconnect(bob.id)
        await eventually(lambda: server.node.rooms.router.waiting == 0, timeout=PATIENCE)
        assert await refused(ann.say(bob.id, {})) == 102
        bob.is_slow.set()


# ---- ICE servers


EMBEDDED = Relay(("192.0.2.1", "2001:db8::1"), udp_port=3478, tcp_port=8000)


async def test_ice_servers_come_with_credentials_that_end() -> None:
    rtc = Rtc(turn="coturn://turn.example.org:3478", secret=SECRET, credential_age=600.0, ice_policy="relay")
    async with running(namespaces=ROOMS, rtc=rtc) as server, joined(server) as ann:
        before = server.node.clock.wall()
        answer = await ann.client.rpc("rtc.ice", {"channel": ROOM})
        stun, turn = answer["ice_servers"]
        assert stun == {"urls": ["stun:turn.example.org:3478"]}
        assert turn["urls"] == [
            "turn:turn.example.org:3478?transport=udp",
            "turn:turn.example.org:3478?transport=tcp",
            "turns:turn.example.org:3478?transport=tcp",
        ]
        expiry, _, user = turn["username"].partition(":")
        assert user == ann.id
        assert before + 599 <= int(expiry) <= server.node.clock.wall() + 600
        assert turn["credential"] == password_of(SECRET, turn["username"])
        assert (answer["ttl"], answer["policy"]) == (600, "relay")


async def test_the_embedded_server_is_where_the_client_has_come() -> None:
    async with running(namespaces=ROOMS) as server, joined(server) as ann:
        assert (await ann.client.rpc("rtc.ice", {"channel": ROOM}))["ice_servers"] == []
        server.node.rooms.embedded, server.node.rooms.secret = EMBEDDED, SECRET
        answer = await ann.client.rpc("rtc.ice", {"channel": ROOM})
        assert answer["ice_servers"][1]["urls"] == [
            "turn:127.0.0.1:3478?transport=udp",
            "turn:127.0.0.1:8000?transport=tcp",
        ]
        server.node.rooms.use(Rtc(address="192.0.2.1,2001:db8::1", secret=SECRET))
        answer = await ann.client.rpc("rtc.ice", {"channel": ROOM})
        assert answer["ice_servers"][0]["urls"] == ["stun:192.0.2.1:3478", "stun:[2001:db8::1]:3478"]
