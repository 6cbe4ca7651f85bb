"""Opening relayed addresses: UDP sockets on random free ports of a range (RFC 8656 section 7.2 wants them not to be
guessed).

It knows sockets and ports; it does not know whom they are for.
"""

import contextlib
import secrets
import socket
import struct
from typing import Final

_ATTEMPTS: Final = 64
_BUFFER: Final = 2_097_152
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_DONT, _DO = 0, 2  # never set DF, always do


class NoPortError(OSError):
    """No port of the range is free."""


class RelayPorts:
    """Ports from `low` to `high`."""

    __slots__ = ("_high", "_low")

    def __init__(self, low: int, high: int) -> None:
        self._low = low
        self._high = high

    def open(self, host: str, *, is_even: bool = False, is_pair: bool = False) -> list[socket.socket]:
        """A socket on `host`; with a pair also one on the next port. Raises `NoPortError`."""
        reason = "no port is free"
        for port in self._candidates(is_even=is_even, is_pair=is_pair):
            opened: list[socket.socket] = []
            try:
                for each in (port, port + 1) if is_pair else (port,):
                    opened.append(_bound(host, each))  # noqa: PERF401 - the first is closed if the second fails
                return opened
            except OSError as error:
                reason = error.strerror or str(error)
                for sock in opened:
                    sock.close()
        raise NoPortError(f"no free UDP port from {self._low} to {self._high} on {host}: {reason}")

    def _candidates(self, *, is_even: bool, is_pair: bool) -> list[int]:
        """Ports in the order to be tried: all of a small range, some of a big one."""
        step = 2 if is_even or is_pair else 1
        low = self._low + self._low % step
        count = (self._high - (1 if is_pair else 0) - low) // step + 1
        if count <= 0:
            return []
        first = secrets.randbelow(count)
        if count <= _ATTEMPTS:
            return [low + step * ((first + index) % count) for index in range(count)]
        return [low + step * secrets.randbelow(count) for _ in range(_ATTEMPTS)]


def enlarge(sock: socket.socket, size: int = _BUFFER) -> None:
    """Give bursts more room in the kernel, as far as this process may."""
    for forced, plain in ((33, socket.SO_RCVBUF), (32, socket.SO_SNDBUF)):  # SO_RCVBUFFORCE, SO_SNDBUFFORCE
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, size)
        except OSError:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, plain, size)


def send_unfragmented(sock: socket.socket, data: bytes, address: tuple[str, int]) -> None:
    """Send with the DF bit (RFC 8656 section 14.8). Raises `OSError`."""
    level, option = (
        (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER)
        if sock.family == socket.AF_INET6
        else (socket.IPPROTO_IP, _IP_MTU_DISCOVER)
    )
    sock.setsockopt(level, option, struct.pack("i", _DO))
    try:
        sock.sendto(data, address)
    finally:
        sock.setsockopt(level, option, struct.pack("i", _DONT))


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    enlarge(sock)
    return sock
