"""io_uring as far as a fan-out needs it: one system call sends the same bytes to many sockets.

`probe()` gives a `Ring`, or says why there is none: Linux since 6.1, an io_uring that sysctl and seccomp permit, and a
send that does what it should. It is public kernel interface (io_uring(7)) by `ctypes` and `mmap`, no compiled code. It
knows descriptors and bytes; it does not know whose they are (`uring_batch`).

`send` is synchronous: entries are handed over, and their completions are there, before it returns. Each send is told
not to wait (`MSG_DONTWAIT`), so the kernel carries it out or refuses it at once. A ring belongs to the thread that
made it.
"""

import ctypes
import errno
import mmap
import os
import platform
import re
import socket
import struct
import sys
from array import array
from pathlib import Path

ENTRIES = 1024
"""Sends in one system call; more take several."""

FRAME_BYTES = 262_144
"""Longest run of bytes that can be sent."""

UNKNOWN = -errno.EIO
"""The result of a send that was handed over and of which the kernel said nothing more."""

UNSENT = -errno.EAGAIN
"""The result of a send that did not take place."""

ENTRY_BYTES = 64
_SETUP, _ENTER = 425, 426
_FLAGS = 1 << 7 | 1 << 12 | 1 << 13  # SUBMIT_ALL, SINGLE_ISSUER, DEFER_TASKRUN (Linux 6.1)
_GET_EVENTS = 1
_OP_SEND = 26
_MESSAGE_FLAGS = 0x40 | 0x4000  # MSG_DONTWAIT, MSG_NOSIGNAL
_ENTRY = struct.Struct("<BBHiQQIIQHHiQQ")
_LENGTH_WORD, _INDEX_WORD, _ENTRY_WORDS = 6, 8, 16
_ENTRIES_OFFSET = 0x10000000  # IORING_OFF_SQES
_WORD = 0xFFFFFFFF
_MOST_ENTERS = 100  # for one batch, where signals interrupt


class Ring:
    """One ring. Raises OSError where the kernel gives none."""

    def __init__(self) -> None:
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long
        parameters = bytearray(120)
        struct.pack_into("<3I", parameters, 0, 0, 0, _FLAGS)
        self._fd = self._call(_SETUP, ENTRIES, (ctypes.c_char * 120).from_buffer(parameters))
        self.is_broken = False
        entries, completions = struct.unpack_from("<2I", parameters)
        # struct io_sqring_offsets at 40: head, tail, mask, entries, flags, dropped, array;
        # struct io_cqring_offsets at 80: head, tail, mask, entries, overflow, cqes
        head, tail, _, _, _, _, order = struct.unpack_from("<7I", parameters, 40)
        done_head, done_tail, _, _, _, done = struct.unpack_from("<6I", parameters, 80)
        size = max(order + 4 * entries, done + 16 * completions)
        try:
            self._shared = mmap.mmap(self._fd, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
            self._queue = mmap.mmap(
                self._fd, ENTRY_BYTES * entries, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, offset=_ENTRIES_OFFSET
            )
        except OSError:
            os.close(self._fd)
            raise
        self._frame = mmap.mmap(-1, FRAME_BYTES)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._frame))
        self._words = memoryview(self._shared)[: size // 4 * 4].cast("I")
        self._signed = memoryview(self._shared)[: size // 4 * 4].cast("i")
        self._entries, self._completions = entries, completions
        self._head, self._tail, self._done_head, self._done_tail, self._done = (
            offset // 4 for offset in (head, tail, done_head, done_tail, done)
        )
        for index in range(entries):
            self._words[order // 4 + index] = index

    def entry(self, fd: int, index: int, length: int) -> bytes:
        """A send of the first `length` bytes of the frame to `fd`, as `send` wants it; it answers to `index`."""
        return _ENTRY.pack(_OP_SEND, 0, 0, fd, 0, self._address, length, _MESSAGE_FLAGS, index, 0, 0, 0, 0, 0)

    def send(self, entries: bytearray, data: bytes) -> list[tuple[int, int]]:
        """Send `data` (at most `FRAME_BYTES`) by each of `entries`. Returns index and result of those that did not take
        all of it: the number of bytes taken, or a negative errno. Never raises: see `is_broken`."""
        count, length = len(entries) // ENTRY_BYTES, len(data)
        self._frame[:length] = data
        failed: list[tuple[int, int]] = []
        with memoryview(entries) as block:
            with block.cast("I") as words:
                if count and words[_LENGTH_WORD] != length:
                    words[_LENGTH_WORD::_ENTRY_WORDS] = array("I", [length]) * count
            for start in range(0, count, self._entries):
                part = block[start * ENTRY_BYTES : (start + self._entries) * ENTRY_BYTES]
                if self.is_broken:
                    failed += [(index, UNSENT) for index in _indices(part)]
                else:
                    failed += self._send(part, length)
                part.release()
        return failed

    def close(self) -> None:
        """Give everything back to the kernel."""
        self.is_broken = True
        self._words.release()
        self._signed.release()
        for mapped in (self._shared, self._queue):
            mapped.close()
        os.close(self._fd)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _call(self, number: int, *arguments: object) -> int:
        result = int(self._syscall(number, *arguments))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    def _send(self, part: memoryview, length: int) -> list[tuple[int, int]]:
        words, count = self._words, len(part) // ENTRY_BYTES
        tail = words[self._tail]
        place = tail % self._entries
        first = min(count, self._entries - place)
        self._queue[place * ENTRY_BYTES : (place + first) * ENTRY_BYTES] = part[: first * ENTRY_BYTES]
        self._queue[: (count - first) * ENTRY_BYTES] = part[first * ENTRY_BYTES :]
        words[self._tail] = (tail + count) & _WORD
        self._submit(count)
        if self.is_broken:
            return self._salvage(part, length)
        return self._results(count, length)

    def _submit(self, count: int) -> None:
        """Hand over what is in the queue, and wait for `count` completions: none of them waits for anything."""
        words = self._words
        for _ in range(_MOST_ENTERS):
            queued = (words[self._tail] - words[self._head]) & _WORD
            missing = count - self._completed()
            if not queued and missing <= 0:
                return
            try:
                self._call(_ENTER, self._fd, queued, missing, _GET_EVENTS, None, 0)
            except InterruptedError:
                continue
            except OSError:
                break
        self.is_broken = True

    def _completed(self) -> int:
        count: int = (self._words[self._done_tail] - self._words[self._done_head]) & _WORD
        return count

    def _results(self, count: int, length: int) -> list[tuple[int, int]]:
        """Take `count` completions; those that are short."""
        words, signed, base = self._words, self._signed, self._done
        head = words[self._done_head]
        place = head % self._completions
        first = min(count, self._completions - place)
        results = signed[base + 4 * place + 2 : base + 4 * (place + first) : 4].tobytes()
        if first < count:
            results += signed[base + 2 : base + 4 * (count - first) : 4].tobytes()
        failed = []
        if results != array("i", [length]).tobytes() * count:
            for number, result in enumerate(array("i", results)):
                if result != length:
                    failed.append((words[base + 4 * ((head + number) % self._completions)], result))
        words[self._done_head] = (head + count) & _WORD
        return failed

    def _salvage(self, part: memoryview, length: int) -> list[tuple[int, int]]:
        """The ring has failed in the middle: what is known of each send."""
        taken = len(part) // ENTRY_BYTES - ((self._words[self._tail] - self._words[self._head]) & _WORD)
        words, base = self._words, self._done
        indices = _indices(part)
        known = dict.fromkeys(indices[:taken], UNKNOWN) | dict.fromkeys(indices[taken:], UNSENT)
        for number in range(self._completed()):
            place = base + 4 * ((words[self._done_head] + number) % self._completions)
            known[words[place]] = self._signed[place + 2]
        return [(index, result) for index, result in known.items() if result != length]


def _indices(part: memoryview) -> list[int]:
    with part.cast("I") as words:
        indices: list[int] = words[_INDEX_WORD::_ENTRY_WORDS].tolist()
        return indices


def move_entry(entries: bytearray, source: int, target: int) -> None:
    """Put the entry at `source` in the place of that at `target`, where it answers to `target`."""
    entries[target * ENTRY_BYTES : (target + 1) * ENTRY_BYTES] = entries[
        source * ENTRY_BYTES : (source + 1) * ENTRY_BYTES
    ]
    struct.pack_into("<Q", entries, target * ENTRY_BYTES + 4 * _INDEX_WORD, target)


# ---- is there one ----------------------------------------------------------------------------------------------------


def probe() -> Ring | str:
    """A ring that has been seen to work, or the reason why there is none."""
    if sys.platform != "linux" or sys.maxsize < 2**32 or sys.byteorder != "little":
        return f"io_uring needs Linux on a 64-bit little-endian machine, this is {sys.platform} on {platform.machine()}"
    release = platform.release()
    version = re.match(r"(\d+)\.(\d+)", release)
    if version is None or (int(version[1]), int(version[2])) < (6, 1):
        return f"io_uring needs Linux 6.1, this is {release}"
    try:
        ring = Ring()
    except OSError as error:
        return _why_not(error)
    reason = _try(ring)
    if reason:
        ring.close()
        return reason
    return ring


def _why_not(error: OSError) -> str:
    try:
        setting = Path("/proc/sys/kernel/io_uring_disabled").read_text(encoding="ascii").strip()
    except OSError:
        setting = "0"
    if error.errno == errno.EPERM and setting != "0":
        return f"io_uring is switched off by the sysctl kernel.io_uring_disabled = {setting} (0 permits it)"
    if error.errno in (errno.EPERM, errno.ENOSYS):
        return "io_uring is forbidden here, as by the seccomp profile of most container runtimes"
    return f"io_uring cannot be set up: {error.strerror}"


def _try(ring: Ring) -> str:
    """Send as a fan-out does: to one that takes it, one that is full and one that is gone."""
    pairs = [socket.socketpair() for _ in range(3)]
    try:
        (well, reader), (full, _), (gone, peer) = pairs
        peer.close()
        full.setblocking(False)
        data = b"wirehop" * 100
        try:
            while True:
                full.send(bytes(65_536))
        except BlockingIOError:
            pass
        entries = bytearray()
        for index, sock in enumerate((well, full, gone)):
            entries += ring.entry(sock.fileno(), index, 0)
        failed = ring.send(entries, data)
        reader.setblocking(False)
        if ring.is_broken or sorted(failed) != [(1, -errno.EAGAIN), (2, -errno.EPIPE)]:
            return f"io_uring does not send as it should: {failed}"
        if reader.recv(len(data) + 1) != data:
            return "io_uring does not send what it should"
    except OSError as error:
        return f"io_uring could not be tried: {error.strerror}"
    finally:
        for pair in pairs:
            for each in pair:
                each.close()
    return ""
