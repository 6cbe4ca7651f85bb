"""How the TURN server is woken: at once while little comes, a millisecond's worth at a time while much does."""

import asyncio
import select
import socket
import time
from collections.abc import Iterator

import pytest
from turn_live import PATIENCE, SERVER, drained

from wirehop.rtc.turn.readiness import EachAwake, Paced, Readiness, readiness

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no epoll")


class Bench:
    """Two sockets, and whatever comes to the second."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ready: Readiness) -> None:
        self.loop = loop
        self.ready = ready
        self.got: list[bytes] = []
        self.to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.to.bind((SERVER, 0))
        self.to.setblocking(False)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.connect(self.to.getsockname())
        ready.add(self.to, self.read)

    def read(self) -> int:
        found = drained(self.to)
        self.got += found
        return len(found)

    def turn(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.run_until_complete(asyncio.sleep(0))

    def flood(self) -> None:
        """Until it is paced."""
        assert isinstance(self.ready, Paced)
        deadline = time.monotonic() + PATIENCE
        while not self.ready.is_paced:
            assert time.monotonic() < deadline
            self.sender.send(b"flood")
            self.turn()


@pytest.fixture
def bench() -> Iterator[Bench]:
    loop = asyncio.new_event_loop()
    bench = Bench(loop, readiness(loop))
    yield bench
    bench.ready.close()
    bench.to.close()
    bench.sender.close()
    loop.close()


def test_little_is_read_at_once(bench: Bench) -> None:
    for number in range(3):
        bench.sender.send(b"%d" % number)
        bench.turn()
    assert bench.got == [b"0", b"1", b"2"]
    assert isinstance(bench.ready, Paced)
    assert not bench.ready.is_paced


def test_much_is_read_in_its_time_and_then_it_is_awake_again(bench: Bench) -> None:
    bench.flood()
    assert isinstance(bench.ready, Paced)
    before = len(bench.got)
    for number in range(100):
        bench.sender.send(b"%d" % number)

    async def until(wanted: bool) -> None:
        while bench.ready.is_paced != wanted:  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    bench.loop.run_until_complete(asyncio.wait_for(until(False), PATIENCE))
    assert bench.got[before:] == [b"%d" % number for number in range(100)]
    bench.sender.send(b"again")
    bench.turn()
    assert bench.got[-1] == b"again"


def test_a_socket_that_is_removed_while_it_is_paced_is_not_read_any_more(bench: Bench) -> None:
    bench.flood()
    before = len(bench.got)
    bench.sender.send(b"too late")
    bench.ready.remove(bench.to)
    bench.ready.remove(bench.to)
    bench.loop.run_until_complete(asyncio.sleep(0.02))
    assert len(bench.got) == before


def test_where_there_is_no_epoll_each_socket_is_a_reader() -> None:
    loop = asyncio.new_event_loop()
    bench = Bench(loop, readiness(loop, is_plain=True))
    assert isinstance(bench.ready, EachAwake)
    bench.sender.send(b"one")
    bench.turn()
    assert bench.got == [b"one"]
    bench.ready.remove(bench.to)
    bench.sender.send(b"two")
    bench.turn()
    assert bench.got == [b"one"]
    bench.ready.close()
    bench.to.close()
    bench.sender.close()
    loop.close()
