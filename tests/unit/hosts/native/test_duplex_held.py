"""A WebSocket whose write buffer is full takes up nothing more, and loses and reorders nothing, on a transport that is
drained at moments of a test's choice."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_harness import Recorder, client_frame

from wirehop.codecs.framing import websocket_close, websocket_frame
from wirehop.hosts.native import HostOptions, flow
from wirehop.hosts.native.context import HostContext
from wirehop.hosts.native.deflate import Deflate
from wirehop.hosts.native.duplex import NativeDuplex
from wirehop.hosts.native.timeouts import Phase

HIGH, LOW = 1000, 200
REPLY = 300


class Narrow(asyncio.Transport):
    """Keeps what is written until it is drained; gives what was read while reading is on. As real ones do, it
    calls `pause_writing` from within `write`."""

    def __init__(self, high: int) -> None:
        super().__init__()
        self.protocol: NativeDuplex
        self.written = b""
        self.unsent = self.peak = 0
        self.inbox: list[bytes] = []
        self.is_reading = True
        self.is_over = False
        self._high = high
        self._is_full = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_over
        self.written += data
        self.unsent += len(data)
        self.peak = max(self.peak, self.unsent)
        if self.unsent > self._high and not self._is_full:
            self._is_full = True
            self.protocol.pause_writing()

    def drain(self, size: int) -> None:
        self.unsent = max(0, self.unsent - size)
        if self._is_full and self.unsent <= LOW:
            self._is_full = False
            self.protocol.resume_writing()

    def read(self) -> bool:
        """Deliver one piece; whether there was one, and reading is on."""
        if self.is_over or not (self.is_reading and self.inbox):
            return False
        self.protocol.data_received(self.inbox.pop(0))
        return True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        assert self.is_reading
        self.is_reading = False

    def resume_reading(self) -> None:
        assert not self.is_reading
        assert not self.is_over
        self.is_reading = True

    def is_closing(self) -> bool:
        return self.is_over

    def close(self) -> None:
        self.is_over = True

    def abort(self) -> None:
        self.is_over = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """As if it were sent."""


class Answering(Recorder):
    """Answers each message with so many bytes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def received(self, data: bytes, is_binary: bool) -> None:
        super().received(data, is_binary)
        if self.size:
            self.wire.send(b"x" * self.size)


def talk(
    story: Callable[[Narrow, Answering], Awaitable[None]],
    *,
    high: int = HIGH,
    reply: int = REPLY,
    deflate: bool = False,
) -> tuple[Narrow, list[tuple[Any, ...]]]:
    """What was said, on what; of what was heard that which is no matter of flow."""

    async def run() -> tuple[Narrow, list[tuple[Any, ...]]]:
        context = HostContext(lambda exchange: None, HostOptions(), Counter())
        paper, listener = Narrow(high), Answering(reply)
        agreed = Deflate(15, "") if deflate else None
        duplex = NativeDuplex(context, paper, listener, max_message=200, deflate=agreed)
        paper.protocol = listener.wire = duplex
        await story(paper, listener)
        paper.is_over = True
        duplex.connection_lost(None)
        assert sum(context.timeouts.count(phase) for phase in Phase) == 0
        context.timeouts.close()
        await asyncio.sleep(0)
        assert len(listener.closes()) == 1
        return paper, [what for what in listener.heard if what[0] not in ("paused", "resumed")]

    return asyncio.run(run())


async def to_the_end(paper: Narrow) -> None:
    """Everything is read and sent."""
    for _ in range(1000):
        await asyncio.sleep(0)  # what was drained before goes on in a turn of its own
        await asyncio.sleep(0)
        if not paper.read() and not paper.unsent and not paper.inbox:
            break
        paper.drain(10_000)
    assert paper.is_over or (paper.is_reading and not paper.inbox)


frames = st.builds(
    client_frame,
    st.binary(max_size=130) | st.text(max_size=40).map(str.encode),
    st.sampled_from([1] * 8 + [2, 2, 2, 0, 9, 10]),
    fin=st.sampled_from([True] * 6 + [False]),
)
endings = st.sampled_from([b"", client_frame(b"\x0f\xa1why", 8), client_frame(b"", 3), client_frame(b"x" * 201)])


@given(
    st.lists(frames, max_size=12).map(b"".join),
    endings,
    st.lists(st.integers(0, 2000), max_size=6),
    st.lists(st.sampled_from(["read", "turn", 1, 300, 900, 5000, "ours"]), max_size=30),
    st.sampled_from([0, 10, REPLY, 1500]),
)
@settings(max_examples=400, deadline=None)
def test_any_pieces_and_any_moments_of_draining_give_the_same_messages(
    data: bytes, ending: bytes, places: list[int], steps: list[str | int], reply: int
) -> None:
    data += ending
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    pieces = [data[start:end] for start, end in pairwise(bounds) if start < end]

    async def narrow(paper: Narrow, listener: Answering) -> None:
        paper.inbox = list(pieces)
        for step in steps:
            if step == "read":
                paper.read()
            elif step == "turn":
                await asyncio.sleep(0)
            elif step == "ours":  # something that is no answer
                paper.protocol.out.write(websocket_frame(b"y" * REPLY))
            else:
                assert isinstance(step, int)
                paper.drain(step)
        await to_the_end(paper)

    async def wide(paper: Narrow, listener: Answering) -> None:
        paper.inbox = [data] if data else []
        await to_the_end(paper)

    paper, heard = talk(narrow, reply=reply)
    assert heard == talk(wide, high=1 << 30, reply=reply)[1]
    ours = steps.count("ours") * (REPLY + 4)
    pongs = 127 * 12
    assert paper.peak <= HIGH + reply + 4 + ours + pongs + 4  # 4: the close frame


def test_one_read_of_many_messages_is_answered_within_the_mark() -> None:
    async def story(paper: Narrow, listener: Answering) -> None:
        paper.inbox = [b"".join(client_frame(b"%d" % number) for number in range(1000))]
        paper.read()
        assert len(listener.heard) == 4
        assert not paper.is_reading
        await asyncio.sleep(0)
        assert listener.heard[4:] == [("paused",)]
        await to_the_end(paper)
        assert listener.heard[-1] == ("resumed",) or listener.heard[-1][0] == "received"

    paper, heard = talk(story)
    assert [what[1] for what in heard[:-1]] == [b"%d" % number for number in range(1000)]
    assert paper.peak <= HIGH + REPLY + 4


def test_compressed_messages_wait_compressed() -> None:
    import zlib

    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = (deflater.compress(b"z" * 200) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
    frame = client_frame(body, rsv=4)

    async def story(paper: Narrow, listener: Answering) -> None:
        paper.inbox = [frame * 100]
        paper.read()
        parser = paper.protocol._parser
        assert parser is not None
        assert len(parser._buffer) == (100 - len(listener.heard)) * len(frame)
        await to_the_end(paper)
        assert paper.protocol._parser is None

    _, heard = talk(story, deflate=True, reply=500)
    assert heard[:-1] == [("received", b"z" * 200, False)] * 100


def test_who_does_not_read_at_all_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then its listener, which has been told, decides what becomes of it."""
    monkeypatch.setattr(flow, "STALL_SECONDS", 0.02)

    async def story(paper: Narrow, listener: Answering) -> None:
        paper.inbox = [client_frame(b"a") * 6, client_frame(b"b")]
        paper.read()
        assert not paper.is_reading
        listener.size = 0
        for _ in range(40):  # slow, but it reads: longer than the time of a stall
            paper.drain(1)
            await asyncio.sleep(0.002)
        assert len(listener.heard) == 5
        for _ in range(1000):
            if not paper.is_reading:
                await asyncio.sleep(0.005)
        assert [what[0] for what in listener.heard] == ["received"] * 4 + ["paused"] + ["received"] * 2
        assert paper.read()
        assert listener.heard[-1] == ("received", b"b", False)

    talk(story)


def test_our_close_looks_for_the_peers_among_what_is_held() -> None:
    async def story(paper: Narrow, listener: Answering) -> None:
        paper.inbox = [client_frame(b"a") * 10 + client_frame((1000).to_bytes(2, "big"), 8)]
        paper.read()
        paper.protocol.close(3008, "slow")
        await asyncio.sleep(0)
        assert paper.is_over
        assert paper.written.endswith(websocket_close(3008, "slow"))
        assert [what[0] for what in listener.heard] == ["received"] * 4 + ["paused", "closed"]

    talk(story)


@pytest.mark.parametrize("end", ["abort", "lost"])
def test_nothing_is_heard_after_the_end_and_nothing_lingers(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "STALL_SECONDS", 0.01)

    async def story(paper: Narrow, listener: Answering) -> None:
        paper.inbox = [client_frame(b"a") * 10]
        paper.read()
        await asyncio.sleep(0)
        if end == "abort":
            paper.protocol.abort("a test")
        else:
            paper.is_over = True
            paper.protocol.connection_lost(None)
        heard = list(listener.heard)
        assert paper.protocol._parser is None
        paper.protocol.resume_writing()
        loop: Any = asyncio.get_running_loop()
        assert [handle for handle in loop._scheduled if not handle.cancelled()] == []
        await asyncio.sleep(0.02)
        assert listener.heard == heard
        assert not paper.is_reading

    talk(story)


def test_a_violation_among_what_is_held_still_lets_the_peer_read_why() -> None:
    async def story(paper: Narrow, listener: Answering) -> None:
        paper.inbox = [client_frame(b"a") * 10 + client_frame(b"", 3), b"discarded"]
        await to_the_end(paper)
        assert [what[0] for what in listener.heard].count("received") == 10
        assert listener.closes()[0][1] == 1002
        assert paper.is_reading

    talk(story)
