"""Batches on real sockets and both loops: the same bytes as by writing, in the same order, to nobody else."""

import asyncio
import errno
import gc
import os
import random
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from native_harness import LOOPS

from wirehop.abc import Batch
from wirehop.core.slot import Writable
from wirehop.hosts.native import uring
from wirehop.hosts.native.uring import Ring, probe
from wirehop.hosts.native.uring_batch import Outlet, RingBatch, RingSender

PATIENCE = 5.0


class Written:
    """The reference: what `abc.Batch.write` says, to the letter."""

    def __init__(self) -> None:
        self.outs: dict[Writable, None] = {}

    def add(self, out: Writable) -> None:
        self.outs[out] = None

    def remove(self, out: Writable) -> None:
        self.outs.pop(out, None)

    def write(self, data: bytes) -> None:
        for out in list(self.outs):
            out.write(data)

    def close(self) -> None:
        self.outs.clear()


class Member(asyncio.Protocol):
    """The server's end of a connection, which keeps the contract of outlets, and the client's socket."""

    client: socket.socket
    transport: asyncio.Transport

    def __init__(self, sender: RingSender, batches: list[Batch]) -> None:
        self.sender = sender
        self.batches = batches
        self.got = b""
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.fd: int = transport.get_extra_info("socket").fileno()
        self.out = Outlet(self.sender, self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        os.fstat(self.fd)  # the socket is closed after this, not before
        self.out.close()
        self.lost.set_result(None)

    def read(self) -> int:
        """Take what is there; how much it was."""
        size = 0
        try:
            while part := self.client.recv(65_536):
                self.got += part
                size += len(part)
        except (BlockingIOError, ConnectionError):
            pass
        return size


class Scene:
    """Members of one listener, in the running loop."""

    def __init__(self, sender: RingSender) -> None:
        self.sender = sender
        self.members: list[Member] = []
        self.batches: list[Batch] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)

    async def member(self, *, send_buffer: int = 0) -> Member:
        client = socket.socket()
        if send_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, send_buffer)
        client.connect(self._listener.getsockname())
        client.setblocking(False)
        accepted, _ = self._listener.accept()
        if send_buffer:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        accepted.setblocking(False)
        loop = asyncio.get_running_loop()
        _, member = await loop.connect_accepted_socket(lambda: Member(self.sender, self.batches), accepted)
        member.client = client
        self.members.append(member)
        return member

    async def crowd(self, count: int) -> tuple[RingBatch, list[Member]]:
        """A batch of so many."""
        batch = self.sender.batch()
        members = [await self.member() for _ in range(count)]
        for member in members:
            batch.add(member.out)
        return batch, members

    async def until(self, is_true: Callable[[], object]) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not is_true():
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.001)

    async def got(self, member: Member, data: bytes) -> None:
        """The client has received exactly that since the start."""

        def has_it() -> bool:
            member.read()
            return len(member.got) >= len(data)

        await self.until(has_it)
        assert member.got == data

    async def end(self) -> None:
        for member in self.members:
            member.client.close()
            if not member.lost.done():
                member.transport.abort()
                await member.lost
        self._listener.close()
        await asyncio.sleep(0)
        gc.collect()


class Stage:
    """Runs scenes on one loop, with one ring."""

    def __init__(self, loop_name: str, sender: RingSender) -> None:
        self.loop_name = loop_name
        self.sender = sender

    def play(self, scene: Callable[[Scene], Any]) -> Any:
        async def main() -> Any:
            stage = Scene(self.sender)
            try:
                return await asyncio.wait_for(scene(stage), 20)
            finally:
                await stage.end()

        with asyncio.Runner(loop_factory=LOOPS[self.loop_name]) as runner:
            return runner.run(main())


@pytest.fixture
def ring() -> Iterator[Ring]:
    found = probe()
    if isinstance(found, str):
        pytest.skip(found)
    yield found
    if not found.is_broken:
        found.close()


@pytest.fixture
def stage(ring: Ring, loop_name: str) -> Stage:
    return Stage(loop_name, RingSender(ring, Counter(), Counter()))


def spied(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries each call of the ring had."""
    sizes: list[int] = []
    send = ring.send

    def record(entries: bytearray, data: bytes) -> list[tuple[int, int]]:
        sizes.append(len(entries) // uring.ENTRY_BYTES)
        return send(entries, data)

    monkeypatch.setattr(ring, "send", record)
    return sizes


def test_a_batch_is_one_call_for_all(stage: Stage, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = spied(ring, monkeypatch)

    async def scene(on: Scene) -> None:
        batch, members = await on.crowd(40)
        for data in (b"one", b"three", b"five!"):
            batch.write(data)
        for member in members:
            await on.got(member, b"onethreefive!")
        batch.close()
        assert all(member.out.batches == () for member in members)

    stage.play(scene)
    assert sizes == [40, 40, 40]


SCHEDULE_STEPS = 120
CROWD = 12


def schedule(seed: int) -> list[tuple[str, int]]:
    """What happens to a crowd, by chance."""
    chance = random.Random(seed)
    words = ["publish"] * 6 + ["single"] * 3 + ["join", "leave", "turn", "turn", "read", "read", "close"]
    return [(chance.choice(words), chance.randrange(1000)) for _ in range(SCHEDULE_STEPS)]


async def perform(on: Scene, batches: list[Batch], steps: list[tuple[str, int]]) -> list[bytes]:
    """Carry the schedule out on a batch of all and one of a few; what each client received."""
    members = [await on.member(send_buffer=4096 if index % 3 == 0 else 0) for index in range(CROWD)]
    inside: list[set[int]] = [set(), set()]
    open_ = set(range(CROWD))
    for number, (word, choice) in enumerate(steps):
        index, which = choice % CROWD, choice % 2
        member, batch = members[index], batches[which]
        match word:
            case "publish":
                size = (20_000, 7, 300, 3_000)[choice % 4]
                batch.write(b"<%d:" % number + bytes([65 + number % 26]) * size + b">")
            case "single" if index in open_:
                member.out.write(b"(%d)" % number)
            case "join" if index in open_ and index not in inside[which]:
                inside[which].add(index)
                batch.add(member.out)
            case "leave" if index in inside[which]:
                inside[which].discard(index)
                batch.remove(member.out)
            case "close" if index in open_ and choice % 3 == 0:
                open_.discard(index)
                for each, own in zip(batches, inside, strict=True):
                    if index in own:
                        own.discard(index)
                        each.remove(member.out)
                member.transport.close()  # what is queued still goes out
            case "read":
                member.read()
            case "turn":
                await asyncio.sleep(0)
    for index in open_:
        members[index].transport.close()

    def is_over() -> bool:
        for member in members:
            member.read()
        return all(member.lost.done() for member in members)

    await on.until(is_over)
    await on.until(lambda: sum(member.read() for member in members) == 0)
    return [member.got for member in members]


@pytest.mark.parametrize("seed", range(12))
def test_the_bytes_are_those_that_writing_gives(stage: Stage, seed: int) -> None:
    steps = schedule(seed)
    steps[:0] = [("join", number) for number in range(2 * CROWD)]
    written = stage.play(lambda on: perform(on, [Written(), Written()], steps))
    sent = stage.play(lambda on: perform(on, [on.sender.batch(), on.sender.batch()], steps))
    assert [len(data) for data in sent] == [len(data) for data in written]
    assert sent == written
    assert stage.sender.errors == {}
    assert stage.sender.noted == set()


def test_who_is_full_stands_aside_and_comes_back(stage: Stage, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = spied(ring, monkeypatch)

    async def scene(on: Scene) -> None:
        batch = on.sender.batch()
        slow, quick = await on.member(send_buffer=4096), await on.member()
        batch.add(slow.out)
        batch.add(quick.out)
        frames = [bytes([65 + number]) * 20_000 for number in range(12)]
        for frame in frames:
            batch.write(frame)
            await asyncio.sleep(0)
            quick.read()
        assert slow.out.has_queued
        await on.got(quick, b"".join(frames))
        await on.got(slow, b"".join(frames))
        batch.write(b"again")
        await on.got(slow, b"".join(frames) + b"again")
        await on.got(quick, b"".join(frames) + b"again")

    stage.play(scene)
    assert sizes[0] == 2
    assert 1 in sizes, "meanwhile it was written to"
    assert sizes[-1] == 2
    assert stage.sender.errors == {}


class Queueing(asyncio.Transport):
    """A transport of the kind that sends at the end of the turn."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self.sock = sock
        self.queued: list[bytes] = []

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.sock if name == "socket" else default

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.queued))

    def write(self, data: Any) -> None:
        self.queued.append(data)

    def end_turn(self) -> None:
        self.sock.sendall(b"".join(self.queued))
        self.queued.clear()


def test_a_reply_of_this_turn_is_never_overtaken(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = spied(ring, monkeypatch)
    sender = RingSender(ring, Counter(), Counter())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = Queueing(ours)
        out = Outlet(sender, transport)
        big, other = sender.batch(), sender.batch()
        big.add(out)
        other.add(out)
        big.write(b"1 ")
        out.write(b"reply ")
        big.write(b"2 ")
        other.write(b"3 ")
        assert sizes == [1], "it has bytes queued: both batches write"
        transport.end_turn()
        big.write(b"4 ")
        other.write(b"5")
        assert sizes == [1, 1, 1]
        assert theirs.recv(100) == b"1 reply 2 3 4 5"
        assert sender.noted == set()


def test_who_has_bytes_queued_when_it_comes_in_waits(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = spied(ring, monkeypatch)
    sender = RingSender(ring, Counter(), Counter())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = Queueing(ours)
        out = Outlet(sender, transport)
        out.write(b"reply ")
        batch = sender.batch()
        batch.add(out)
        batch.write(b"1 ")
        transport.end_turn()
        batch.write(b"2")
        assert theirs.recv(100) == b"reply 1 2"
    assert sizes == [1]


def test_a_peer_that_is_gone_is_aborted_and_counted_once(stage: Stage) -> None:
    async def scene(on: Scene) -> None:
        batch, (gone, other) = await on.crowd(2)
        second = on.sender.batch()
        second.add(gone.out)
        gone.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        gone.client.close()  # reset
        batch.write(b"1")
        batch.write(b"2")
        second.write(b"x")
        batch.write(b"3")
        assert stage.sender.gone == {"batch": 1}
        await gone.lost
        batch.write(b"4")
        await on.got(other, b"1234")

    stage.play(scene)
    assert stage.sender.gone == {"batch": 1}
    assert stage.sender.errors == {}


@pytest.mark.parametrize("how", ["abort", "close", "peer"])
def test_a_reused_descriptor_is_a_strangers(stage: Stage, how: str) -> None:
    async def scene(on: Scene) -> bool:
        batch, (first, *others) = await on.crowd(5)
        batch.write(b"1")
        await on.got(first, b"1")
        if how == "peer":
            first.client.close()
        else:
            getattr(first.transport, how)()
            batch.write(b"2")  # not yet gone: the socket is still its own
            await first.lost
            await asyncio.sleep(0)
            first.client.close()
        await first.lost
        for _ in range(3):
            await asyncio.sleep(0)
        stranger = await on.member()
        batch.write(b"secret")
        for other in others:
            await on.got(other, b"1secret" if how == "peer" else b"12secret")
        assert stranger.read() == 0
        return stranger.fd == first.fd

    reused = [stage.play(scene) for _ in range(4)]
    assert any(reused), "the descriptor was reused, or this shows nothing"
    assert stage.sender.errors == {}


def test_a_closed_outlet_forgets_what_it_is_given(stage: Stage) -> None:
    async def scene(on: Scene) -> None:
        batch, (first, second) = await on.crowd(2)
        first.out.close()
        first.out.write(b"x")
        assert not first.out.has_queued
        batch.remove(first.out)  # the hub hears of it later
        batch.write(b"y")
        await on.got(second, b"y")
        assert first.read() == 0
        batch.add(first.out)
        batch.write(b"z")
        await on.got(second, b"yz")
        assert first.read() == 0

    stage.play(scene)


def test_what_is_no_outlet_is_written_to(ring: Ring) -> None:
    class Plain:
        def __init__(self) -> None:
            self.got = b""

        def write(self, data: bytes) -> None:
            self.got += data
            if data == b"2":
                raise RuntimeError("as the test wants it")

    sender = RingSender(ring, Counter(), Counter())
    batch = sender.batch()
    first, second = Plain(), Plain()
    batch.add(first)
    batch.add(second)
    batch.write(b"1")
    batch.write(b"2")
    batch.remove(first)
    batch.write(b"3")
    assert (first.got, second.got) == (b"12", b"123")
    assert sender.errors == {"batch_write": 2}


def test_a_frame_larger_than_the_ring_takes_is_written(
    stage: Stage, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = spied(ring, monkeypatch)

    async def scene(on: Scene) -> None:
        batch, (member, _) = await on.crowd(2)
        large = bytes(uring.FRAME_BYTES + 1)
        batch.write(b"1")
        batch.write(large)
        await on.got(member, b"1" + large)

    stage.play(scene)
    assert sizes == [2]


@pytest.mark.parametrize("takes", [0, 2, 5])
def test_a_ring_that_fails_loses_and_doubles_nothing(
    stage: Stage, ring: Ring, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, takes: int
) -> None:
    call = ring._call

    def fail(number: int, fd: int, queued: int, missing: int, *rest: object) -> int:
        if queued == 5 and takes:
            call(number, fd, takes, takes, *rest)
        raise OSError(errno.EBUSY, "as the test wants it")

    async def scene(on: Scene) -> None:
        batch, members = await on.crowd(5)
        batch.write(b"1")
        monkeypatch.setattr(ring, "_call", fail)
        batch.write(b"2")
        batch.write(b"3")
        for member in members:
            await on.got(member, b"123")

    stage.play(scene)
    assert stage.sender.errors == {"io_uring": 1}
    assert stage.sender.smallest == sys.maxsize
    assert len([record for record in caplog.records if "io_uring failed" in record.message]) == 1


def test_a_send_that_the_kernel_does_not_know_is_the_rings_failure(
    stage: Stage, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(on: Scene) -> None:
        batch, (member, _) = await on.crowd(2)
        monkeypatch.setattr(ring, "send", lambda _entries, _data: [(0, -errno.EINVAL), (1, -errno.EINVAL)])
        batch.write(b"1")
        batch.write(b"2")
        await on.got(member, b"12")

    stage.play(scene)
    assert stage.sender.errors == {"io_uring": 1}


def test_who_may_or_may_not_have_got_it_is_dropped(stage: Stage, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(on: Scene) -> None:
        batch, (first, second) = await on.crowd(2)
        monkeypatch.setattr(ring, "send", lambda _entries, _data: [(0, uring.UNKNOWN)])
        batch.write(b"1")
        await first.lost
        assert not second.lost.done()

    stage.play(scene)
    assert stage.sender.errors == {"batch_unknown": 1}


def test_batches_outlive_the_ring(stage: Stage) -> None:
    async def scene(on: Scene) -> None:
        batch, (member, _) = await on.crowd(2)
        batch.write(b"1")
        on.sender.close()
        batch.write(b"2")
        on.sender.close()
        await on.got(member, b"12")

    stage.play(scene)
