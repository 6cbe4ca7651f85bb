"""Sending datagrams of one size to one address: all of them with one system call where the kernel can.

With UDP_SEGMENT (Linux 4.18) the kernel takes many datagrams as one and parts them as late as it can, which costs a
fraction. It is tried as long as it works. It knows a socket; it does not know what is sent.
"""

import errno
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Final

SEGMENTS: Final = 64  # UDP_MAX_SEGMENTS
_UDP_SEGMENT: Final = 103
_SOL_UDP: Final = 17
_WHOLE: Final = 65_507
_UNSUPPORTED: Final = frozenset((errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP))


class DatagramSender:
    """Sends, and counts what could not be sent: in `counters`, which are the caller's."""

    __slots__ = ("_counters", "_segments")

    def __init__(self, counters: "Counter[str]", *, segments: bool = True) -> None:
        self._counters = counters
        self._segments = segments and hasattr(socket.socket, "sendmsg")

    def send(self, sock: socket.socket, data: bytes | memoryview, address: tuple[str, int]) -> None:
        """One."""
        try:
            sock.sendto(data, address)
        except BlockingIOError:
            self._counters["send.full"] += 1
        except OSError as error:
            self._counters["send.too_big" if error.errno == errno.EMSGSIZE else "send.failed"] += 1

    def send_all(
        self, sock: socket.socket, datagrams: Sequence[memoryview], size: int, address: tuple[str, int]
    ) -> None:
        """Several of `size` bytes each, at most `SEGMENTS`."""
        if self._segments and size and size * len(datagrams) <= _WHOLE:
            try:
                control = ((_SOL_UDP, _UDP_SEGMENT, struct.pack("=H", size)),)
                sock.sendmsg(datagrams, control, 0, address)
                return
            except BlockingIOError:
                self._counters["send.full"] += len(datagrams)
                return
            except OSError as error:  # larger than the way's MTU, or a device that cannot
                if error.errno in _UNSUPPORTED:
                    self._segments = False
        for each in datagrams:
            self.send(sock, each, address)
