"""Datagrams in batches: up to 32 with one system call, into memory that is there already.

    slot    | sender, as the kernel writes it | room for a header | datagram ...

A slot of a relay has four bytes of room before the datagram, for the header of ChannelData that the client gets; a
client's datagram begins with that header, so that sender, channel and length lie side by side and one slice is the key
of the fast lane. All sockets of a kind share one mailbox: what it holds is dealt with before it is filled again.

`recvmmsg(2)` is Linux; elsewhere the same slots are filled by a loop of `recvfrom_into`. It knows bytes and addresses;
it does not know what a datagram means.
"""

import contextlib
import ctypes
import mmap
import socket
import struct
import sys
from collections.abc import Callable
from typing import Final

from wirehop.rtc.pure.stun import Address

BATCH: Final = 32
SLOT: Final = 65_536 + 64
HEADER: Final = 4
"""Bytes of the header of ChannelData."""
_DATAGRAM: Final = 65_536
_SENDER: Final = {socket.AF_INET: 16, socket.AF_INET6: 28}  # sizeof(struct sockaddr_in), …_in6
_MMSGHDR: Final = struct.Struct("=QIxxxxQQQQixxxxIxxxx")  # struct mmsghdr of 64 bit Linux
_WORDS: Final = _MMSGHDR.size // 4
_LENGTH_AT: Final = 14  # msg_len, in words
_DONTWAIT: Final = 0x40
_IS_64_BIT_LINUX: Final = sys.platform == "linux" and ctypes.sizeof(ctypes.c_void_p) == 8

_Receive = Callable[[int, int, int, int, None], int]


def find_recvmmsg() -> _Receive | None:
    """The system call, where it is there in the form that is known here."""
    if not _IS_64_BIT_LINUX:
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).recvmmsg
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
    function.restype = ctypes.c_int
    return function


class Mailbox:
    """Slots for sockets of one address family, on the clients' side or the relays'. `is_plain`: without `recvmmsg`."""

    __slots__ = (
        "_call",
        "_family",
        "_headers",
        "_headers_at",
        "_kept",
        "data_at",
        "lengths",
        "memory",
        "sender",
        "view",
    )

    def __init__(self, family: int, *, is_relay: bool, is_plain: bool = False) -> None:
        self._family = family
        self.sender = _SENDER[socket.AddressFamily(family)]
        """Bytes of a sender's address at the beginning of each slot."""
        self.data_at = self.sender + (HEADER if is_relay else 0)
        """Where in a slot a datagram begins."""
        self.memory = mmap.mmap(-1, BATCH * SLOT)  # a slice of it is `bytes`: one object, and a key
        self.view = memoryview(self.memory)
        self._call = None if is_plain else find_recvmmsg()
        self._headers = bytearray(_MMSGHDR.size * BATCH)
        self.lengths: list[int] | memoryview = [0] * BATCH * _WORDS
        self._kept: list[object] = []
        self._headers_at = 0
        if self._call is not None:
            self._prepare()

    def fill(self, sock: socket.socket) -> int:
        """Take what has come, up to `BATCH` datagrams; how many there were. `length(i)` is that of the i-th."""
        if self._call is None:
            return self._fill_plainly(sock)
        count = self._call(sock.fileno(), self._headers_at, BATCH, _DONTWAIT, None)
        return max(count, 0)  # an error of the socket concerns nothing that is here, and the next call shows the rest

    def length(self, index: int) -> int:
        """Bytes of a datagram."""
        return self.lengths[index * _WORDS + _LENGTH_AT]

    def source(self, index: int) -> Address:
        """Where a datagram came from."""
        return self.address(self.memory[index * SLOT : index * SLOT + self.sender])

    def data(self, index: int) -> bytes:
        """A copy of a datagram."""
        begin = index * SLOT + self.data_at
        return self.memory[begin : begin + self.length(index)]

    def address(self, packed: bytes) -> Address:
        """What the kernel's form of an address says."""
        port = int.from_bytes(packed[2:4], "big")
        if self._family == socket.AF_INET:
            return socket.inet_ntop(socket.AF_INET, packed[4:8]), port
        return socket.inet_ntop(socket.AF_INET6, packed[8:24]), port

    def packed(self, address: Address) -> bytes:
        """The kernel's form of an address without a zone, as a sender's."""
        host, port = address
        head = struct.pack("=H", self._family) + port.to_bytes(2, "big")
        if self._family == socket.AF_INET:
            return head + socket.inet_pton(socket.AF_INET, host) + bytes(8)
        return head + bytes(4) + socket.inet_pton(socket.AF_INET6, host) + bytes(4)

    def _prepare(self) -> None:
        pinned = ctypes.c_char.from_buffer(self.memory)
        base = ctypes.addressof(pinned)
        vectors = bytearray(16 * BATCH)
        pinned_vectors = ctypes.c_char.from_buffer(vectors)
        pinned_headers = ctypes.c_char.from_buffer(self._headers)
        self._headers_at = ctypes.addressof(pinned_headers)
        self._kept = [pinned, vectors, pinned_vectors, pinned_headers]
        for index in range(BATCH):
            slot, vector = base + index * SLOT, ctypes.addressof(pinned_vectors) + 16 * index
            struct.pack_into("=QQ", vectors, 16 * index, slot + self.data_at, _DATAGRAM)
            _MMSGHDR.pack_into(self._headers, _MMSGHDR.size * index, slot, self.sender, vector, 1, 0, 0, 0, 0)
        self.lengths = memoryview(self._headers).cast("I")

    def _fill_plainly(self, sock: socket.socket) -> int:
        count = 0
        with contextlib.suppress(OSError):
            while count < BATCH:
                begin = count * SLOT
                at = begin + self.data_at
                length, source = sock.recvfrom_into(self.view[at : at + _DATAGRAM])
                self.memory[begin : begin + self.sender] = self.packed((source[0].partition("%")[0], source[1]))
                self.lengths[count * _WORDS + _LENGTH_AT] = length
                count += 1
        return count
