"""Multicast DNS (RFC 6762) on this machine: browsers hide the addresses of their network behind `….local` names, and
find each other in it only if those can be resolved.

A name made up for the moment is asked for and answered, both here, through the network's multicast: where that does
not arrive, neither do those of browsers.
"""

import asyncio
import contextlib
import socket
import struct
import uuid
from typing import Final

from wirehop.doctor import turn_advice as advice
from wirehop.doctor.findings import Finding
from wirehop.rtc.pure.stun import Family
from wirehop.rtc.turn.addresses import routed_address

GROUP: Final = "224.0.0.251"
PORT: Final = 5353
_HEADER: Final = struct.Struct("!6H")
_TAIL: Final = struct.Struct("!HH")
_RECORD: Final = struct.Struct("!HHIH")
_ANSWER: Final = 0x8400  # a response, authoritative (section 18)
_TYPE_A, _CLASS_IN = 1, 1
_SECONDS: Final = 1.0
_TRIES: Final = 3


async def examine_mdns() -> Finding:
    """Whether `.local` names travel."""
    name = f"{uuid.uuid4()}.local"
    loop = asyncio.get_running_loop()
    address = routed_address(Family.IPV4) or "127.0.0.1"
    try:
        with contextlib.ExitStack() as stack:
            responder = stack.enter_context(_member(address))
            asker = stack.enter_context(_member(address))
            for _ in range(_TRIES):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_SECONDS):
                        await loop.sock_sendto(asker, question(name), (GROUP, PORT))
                        await _heard(loop, responder, question(name))
                        await loop.sock_sendto(responder, answer(name, address), (GROUP, PORT))
                        await _heard(loop, asker, answer(name, address))
                    return Finding("mdns", "ok", f".local names can be resolved at {address}")
    except OSError as error:
        seen = f"multicast DNS cannot be used: {error.strerror or error}"
        return Finding("mdns", "warn", seen, advice.MDNS)
    seen = f"what is sent to {GROUP} port {PORT} does not come back to this machine"
    return Finding("mdns", "warn", seen, advice.MDNS)


def question(name: str) -> bytes:
    """Who has it?"""
    return _HEADER.pack(0, 0, 1, 0, 0, 0) + _labels(name) + _TAIL.pack(_TYPE_A, _CLASS_IN)


def answer(name: str, address: str, seconds: int = 10) -> bytes:
    """This one has it."""
    record = _RECORD.pack(_TYPE_A, _CLASS_IN, seconds, 4) + socket.inet_aton(address)
    return _HEADER.pack(0, _ANSWER, 0, 1, 0, 0) + _labels(name) + record


def _labels(name: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".")) + b"\0"


async def _heard(loop: asyncio.AbstractEventLoop, sock: socket.socket, wanted: bytes) -> None:
    while await loop.sock_recv(sock, 9000) != wanted:
        pass  # others speak there too


def _member(address: str) -> socket.socket:
    """A socket of the group, beside the system's own responder."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("", PORT))
        interface = socket.inet_aton(address)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + interface)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    except OSError:
        sock.close()
        raise
    return sock
