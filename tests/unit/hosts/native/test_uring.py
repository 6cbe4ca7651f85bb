"""The ring itself: what arrives where, what is said of the rest, and what happens when the kernel fails."""

import errno
import socket
from collections.abc import Callable, Iterator

import pytest

from wirehop.hosts.native import uring
from wirehop.hosts.native.uring import UNKNOWN, UNSENT, Ring, move_entry, probe

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring of four entries: every batch takes several calls, and every queue wraps."""
    monkeypatch.setattr(uring, "ENTRIES", 4)


@pytest.fixture
def ring() -> Iterator[Ring]:
    found = probe()
    if isinstance(found, str):
        pytest.skip(found)
    yield found
    found.close()


@pytest.fixture
def pairs() -> Iterator[Callable[[int], list[Pair]]]:
    made: list[Pair] = []

    def make(count: int) -> list[Pair]:
        pairs = [socket.socketpair() for _ in range(count)]
        for pair in pairs:
            for sock in pair:
                sock.setblocking(False)
        made.extend(pairs)
        return pairs

    yield make
    for pair in made:
        for sock in pair:
            sock.close()


def entries_of(ring: Ring, pairs: list[Pair]) -> bytearray:
    return bytearray(b"".join(ring.entry(sock.fileno(), index, 0) for index, (sock, _) in enumerate(pairs)))


def received(pair: Pair) -> bytes:
    data = b""
    try:
        while part := pair[1].recv(65_536):
            data += part
    except BlockingIOError:
        pass
    return data


def fill(sock: socket.socket) -> int:
    """Until nothing more goes in; how much went."""
    size = 0
    try:
        while True:
            size += sock.send(bytes(4096))
    except BlockingIOError:
        return size


def test_everybody_gets_frames_of_any_length(ring: Ring, pairs: Callable[[int], list[Pair]]) -> None:
    members = pairs(50)
    entries = entries_of(ring, members)
    for data in (b"a" * 300, b"b", b"c" * 300, b"d" * 70_000, b"e" * 300):
        assert ring.send(entries, data) == []
        assert [received(pair) for pair in members] == [data] * 50


@pytest.mark.usefixtures("few")
def test_more_entries_than_the_ring_holds_take_several_calls(ring: Ring, pairs: Callable[[int], list[Pair]]) -> None:
    members = pairs(11)
    entries = entries_of(ring, members)
    fill(members[9][0])
    for number in range(30):
        data = b"%d" % number
        assert ring.send(entries, data) == [(9, -errno.EAGAIN)]
        assert [received(pair) for pair in members if pair is not members[9]] == [data] * 10


def test_nobody_is_fine(ring: Ring) -> None:
    assert ring.send(bytearray(), b"x") == []


def test_who_takes_nothing_a_part_or_is_gone_is_named(ring: Ring, pairs: Callable[[int], list[Pair]]) -> None:
    well, part, full, gone = members = pairs(4)
    part[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    fill(full[0])
    gone[1].close()
    data = bytes(range(256)) * 800
    results = dict(ring.send(entries_of(ring, members), data))
    assert results.pop(2) == -errno.EAGAIN
    assert results.pop(3) == -errno.EPIPE
    taken = results.pop(1)
    assert 0 < taken < len(data)
    assert received(part) == data[:taken]
    assert received(well) == data[: results.pop(0, len(data))]
    assert results == {}


def test_an_entry_that_is_moved_answers_to_its_new_place(ring: Ring, pairs: Callable[[int], list[Pair]]) -> None:
    first, second, last = pairs(3)
    entries = entries_of(ring, [first, second, last])
    move_entry(entries, 2, 0)
    del entries[-uring.ENTRY_BYTES :]
    fill(last[0])
    assert ring.send(entries, b"x") == [(0, -errno.EAGAIN)]
    assert (received(first), received(second)) == (b"", b"x")


# ---- when it fails ---------------------------------------------------------------------------------------------------


def failing(ring: Ring, monkeypatch: pytest.MonkeyPatch, *, takes: int, error: int) -> None:
    """The next call hands `takes` entries over and fails; those after it too."""
    call = ring._call
    taken: list[int] = []

    def fail(number: int, fd: int, queued: int, missing: int, *rest: object) -> int:
        if not taken:
            taken.append(takes)
            if takes:
                call(number, fd, takes, takes, *rest)
        raise OSError(error, "as the test wants it")

    monkeypatch.setattr(ring, "_call", fail)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("takes", [0, 1, 3, 4])
def test_a_ring_that_fails_in_the_middle_says_who_got_it(
    ring: Ring, pairs: Callable[[int], list[Pair]], monkeypatch: pytest.MonkeyPatch, takes: int
) -> None:
    members = pairs(6)
    entries = entries_of(ring, members)
    assert ring.send(entries, b"before") == []
    failing(ring, monkeypatch, takes=takes, error=errno.EBUSY)
    results = ring.send(entries, b"x")
    assert ring.is_broken
    assert sorted(results) == [(index, UNSENT) for index in range(takes, 6)]
    assert [received(pair) for pair in members] == [b"beforex"] * takes + [b"before"] * (6 - takes)
    monkeypatch.undo()
    assert ring.send(entries, b"y") == [(index, UNSENT) for index in range(6)], "it is never used again"


def test_a_send_without_a_completion_is_neither_sent_nor_unsent(
    ring: Ring, pairs: Callable[[int], list[Pair]], monkeypatch: pytest.MonkeyPatch
) -> None:
    members = pairs(3)
    monkeypatch.setattr(ring, "_completed", lambda: 0)
    monkeypatch.setattr(uring, "_MOST_ENTERS", 2)
    call = ring._call
    monkeypatch.setattr(ring, "_call", lambda *arguments: call(*arguments[:3], 0, *arguments[4:]))  # does not wait
    assert sorted(ring.send(entries_of(ring, members), b"x")) == [(index, UNKNOWN) for index in range(3)]
    assert ring.is_broken


def test_a_signal_in_the_middle_is_no_failure(
    ring: Ring, pairs: Callable[[int], list[Pair]], monkeypatch: pytest.MonkeyPatch
) -> None:
    call, calls = ring._call, []

    def interrupted(*arguments: object) -> int:
        calls.append(arguments)
        if len(calls) == 1:
            raise InterruptedError(errno.EINTR, "a signal")
        return call(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ring, "_call", interrupted)
    members = pairs(3)
    assert ring.send(entries_of(ring, members), b"x") == []
    assert [received(pair) for pair in members] == [b"x"] * 3
    assert not ring.is_broken


# ---- is there one ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "value", "reason"),
    [
        ("platform.release", lambda: "5.15.0-91-generic", "io_uring needs Linux 6.1, this is 5.15.0-91-generic"),
        ("sys.platform", "darwin", "io_uring needs Linux on a 64-bit little-endian machine, this is darwin on"),
    ],
)
def test_where_there_can_be_none_the_reason_is_told(
    monkeypatch: pytest.MonkeyPatch, what: str, value: object, reason: str
) -> None:
    monkeypatch.setattr(f"wirehop.hosts.native.uring.{what}", value)
    found = probe()
    assert isinstance(found, str)
    assert found.startswith(reason)


@pytest.mark.parametrize(
    ("code", "setting", "reason"),
    [
        (errno.EPERM, "2\n", "sysctl kernel.io_uring_disabled = 2"),
        (errno.EPERM, "0\n", "seccomp"),
        (errno.ENOSYS, "0\n", "seccomp"),
        (errno.ENOMEM, "0\n", "cannot be set up: no memory"),
    ],
)
def test_a_setup_that_is_refused_is_explained(
    monkeypatch: pytest.MonkeyPatch, code: int, setting: str, reason: str
) -> None:
    def refuse() -> Ring:
        raise OSError(code, "no memory")

    monkeypatch.setattr(uring, "Ring", refuse)
    monkeypatch.setattr("pathlib.Path.read_text", lambda _path, encoding: setting)
    found = probe()
    assert isinstance(found, str)
    assert reason in found


@pytest.mark.parametrize("wrong", [[], [(0, 3), (1, -errno.EAGAIN), (2, -errno.EPIPE)]])
def test_a_ring_that_answers_wrongly_is_not_used(monkeypatch: pytest.MonkeyPatch, wrong: list[tuple[int, int]]) -> None:
    monkeypatch.setattr(Ring, "send", lambda _ring, _entries, _data: wrong)
    found = probe()
    assert isinstance(found, str)
    assert found.startswith("io_uring does not send as it should")
