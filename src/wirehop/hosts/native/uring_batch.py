"""The batch sender of the native host: one system call for all wires of a batch.

Bytes must never overtake others on a wire. So a batch sends by the ring only to wires whose transport has nothing
queued. It knows that without asking each of them: who is in a batch was seen empty when it came in, and everything
that is written to it by another way goes through its `Outlet`, which notes it. Noted wires are asked before the next
batch; one that still has bytes queued stands aside, and is written to, until it has none. Event loops differ in when
they queue (asyncio: what the socket did not take; some: everything until the end of the turn); this serves them all.

A descriptor must never be used after its connection, when it may be a stranger's. An outlet is closed where the host
learns of the end or makes it, at the latest in `connection_lost`, before asyncio closes the socket, and a closed
outlet leaves all its batches at once.
"""

import asyncio
import errno
import logging
import sys
from collections import Counter

from wirehop.core.slot import Writable
from wirehop.hosts.native.flow import VOID
from wirehop.hosts.native.uring import ENTRY_BYTES, FRAME_BYTES, UNKNOWN, Ring, move_entry

log = logging.getLogger("wirehop.http")

SMALLEST = 32
"""Below this many wires the call's own cost eats most of the gain: measured, 16 wires take 0.85 of the time that
writing to each takes, 32 take 0.80, 256 take 0.74."""

_NOT_TAKEN = frozenset((errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.ENOMEM))  # try again, through the transport
_RING_TROUBLE = frozenset((errno.EINVAL, errno.EOPNOTSUPP, errno.ECANCELED, errno.EFAULT, errno.ENXIO))


class Outlet:
    """`abc.Out` of one connection. `write` is for what is written to this one alone."""

    __slots__ = ("_sender", "batches", "transport")

    def __init__(self, sender: "RingSender", transport: asyncio.Transport) -> None:
        self._sender = sender
        self.transport: asyncio.Transport | None = transport  # None when closed
        self.batches: tuple[RingBatch, ...] = ()

    def write(self, data: bytes) -> None:
        """After all that was written before."""
        if self.batches:
            self._sender.noted.add(self)
        (self.transport or VOID).write(data)

    @property
    def has_queued(self) -> bool:
        """Whether there are bytes that the kernel has not taken yet."""
        return self.transport is not None and self.transport.get_write_buffer_size() > 0

    @property
    def descriptor(self) -> int:
        """The socket's; -1 for none. Good only until the loop goes on."""
        if self.transport is None or self.transport.is_closing():
            return -1
        sock = self.transport.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    def abort(self) -> None:
        """Drop the connection; its protocol hears of it."""
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """What is written from here on is forgotten. Must come before the transport closes its socket."""
        self.transport = None
        for batch in self.batches:
            batch.remove(self)


class RingSender:
    """Implements `abc.BatchSender`. `errors` counts `io_uring` (the ring failed: from then on everything is written),
    `batch_unknown` (a connection was dropped, because the ring failed before it said what was sent) and `batch_write`
    (a wire could not be written to). `gone` counts, as `batch`, connections that were found dead: they are aborted."""

    def __init__(self, ring: Ring, errors: "Counter[str]", gone: "Counter[str]") -> None:
        self.ring: Ring | None = ring
        self.errors = errors
        self.gone = gone
        self.smallest = SMALLEST
        self.noted: set[Outlet] = set()  # in a batch, and written to by another way since

    def batch(self) -> "RingBatch":
        """A new one, empty."""
        return RingBatch(self)

    def fail(self) -> None:
        """Never use the ring again. It is not given back before `close`: the kernel may still hold a send."""
        if self.smallest != sys.maxsize:
            self.smallest = sys.maxsize
            self.errors["io_uring"] += 1
            log.error("io_uring failed; everything is written from here on")

    def close(self) -> None:
        """Give the ring back. Batches that are left write."""
        self.smallest = sys.maxsize
        ring, self.ring = self.ring, None
        if ring is not None:
            ring.close()


class RingBatch:
    """Implements `abc.Batch`. Members stand in the ring's entries, one each, or aside while they have bytes queued;
    what is no outlet, or has no descriptor, is written to."""

    __slots__ = ("_aside", "_entries", "_length", "_members", "_places", "_plain", "_sender")

    def __init__(self, sender: RingSender) -> None:
        self._sender = sender
        self._entries = bytearray()
        self._length = 0  # of the frame, as it stands in the entries
        self._members: list[Outlet] = []
        self._places: dict[Outlet, int] = {}
        self._aside: dict[Outlet, None] = {}
        self._plain: dict[Writable, None] = {}

    def add(self, out: Writable) -> None:
        """Let a wire in."""
        if not isinstance(out, Outlet) or out.descriptor < 0:
            self._plain[out] = None
            return
        out.batches = (*out.batches, self)
        if not self._enter(out):
            self._aside[out] = None

    def remove(self, out: Writable) -> None:
        """Let it go."""
        if not isinstance(out, Outlet) or out in self._plain:
            self._plain.pop(out, None)
            return
        self._exit(out)
        self._aside.pop(out, None)
        out.batches = tuple(batch for batch in out.batches if batch is not self)
        if not out.batches:
            self._sender.noted.discard(out)

    def write(self, data: bytes) -> None:
        """To all of them."""
        sender = self._sender
        if sender.noted:
            for out in self._places.keys() & sender.noted:
                self._look(out)
        for out in list(self._aside):
            if self._enter(out):
                del self._aside[out]
            else:
                out.write(data)
        if self._members:
            if sender.ring is None or sender.ring.is_broken or len(data) > FRAME_BYTES:
                for out in list(self._members):
                    out.write(data)
            else:
                self._send(sender.ring, data)
        for plain in list(self._plain):
            self._write(plain, data)

    def close(self) -> None:
        """Let all go."""
        for out in (*self._members, *self._aside):
            self.remove(out)
        self._plain.clear()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _send(self, ring: Ring, data: bytes) -> None:
        failed = [(self._members[index], result) for index, result in ring.send(self._entries, data)]
        self._length = len(data)
        for out, result in failed:
            code = -result
            if code > 0 and code not in _NOT_TAKEN and code not in _RING_TROUBLE:
                self._drop(out, is_unknown=result == UNKNOWN)
                continue
            if code in _RING_TROUBLE:
                self._sender.fail()
            self._exit(out)
            self._aside[out] = None
            out.write(data if result < 0 else data[result:])
        if ring.is_broken:
            self._sender.fail()

    def _drop(self, out: Outlet, *, is_unknown: bool) -> None:
        """End the connection: its protocol hears of it in the next turn, and it is sent nothing until then."""
        if is_unknown:
            self._sender.errors["batch_unknown"] += 1
            log.error("a connection is dropped: what it was sent is not known")
        else:
            self._sender.gone["batch"] += 1
        for batch in out.batches:
            batch._exit(out)
            batch._aside.pop(out, None)
        out.abort()

    def _look(self, out: Outlet) -> None:
        """It was written to by another way: has that gone out?"""
        if out.has_queued:
            self._exit(out)
            self._aside[out] = None
        else:
            self._sender.noted.discard(out)

    def _enter(self, out: Outlet) -> bool:
        """Give it an entry, if nothing is queued."""
        fd = -1 if out.has_queued else out.descriptor
        ring = self._sender.ring
        if fd < 0 or ring is None:
            return False
        place = len(self._members)
        self._places[out] = place
        self._members.append(out)
        self._entries += ring.entry(fd, place, self._length)
        self._sender.noted.discard(out)
        return True

    def _exit(self, out: Outlet) -> None:
        """Take its entry away: the last one takes its place."""
        place = self._places.pop(out, None)
        if place is None:
            return
        last = self._members.pop()
        if last is not out:
            self._members[place] = last
            self._places[last] = place
            move_entry(self._entries, len(self._members), place)
        del self._entries[-ENTRY_BYTES:]

    def _write(self, out: Writable, data: bytes) -> None:
        try:
            out.write(data)
        except Exception:  # one broken wire must not keep the others from their message
            self._sender.errors["batch_write"] += 1
            log.exception("a wire could not be written to")
