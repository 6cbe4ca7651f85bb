"""Listening sockets with the options that every accepted connection inherits.

Set once here they cost nothing per connection. It knows sockets; it does not know who accepts.
"""

import asyncio
import os
import socket


async def open_sockets(
    loop: asyncio.AbstractEventLoop, host: str, port: int, *, reuse_port: bool
) -> list[socket.socket]:
    """One bound socket per address of `host` ("" for all), on the same port; 0 lets the kernel choose it."""
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            sock = socket.socket(family, kind, protocol)
            sockets.append(sock)
            if os.name == "posix":  # on Windows it would let two servers share a port
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            chosen = sockets[0].getsockname()[1] if len(sockets) > 1 and port == 0 else port
            sock.bind((address[0], chosen, *address[2:]))
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def prepare(sock: socket.socket, *, user_timeout: float) -> None:
    """TCP_NODELAY always; TCP_USER_TIMEOUT where the system has it and `user_timeout` (seconds) is not 0."""
    sock.setblocking(False)
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if user_timeout and option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, int(user_timeout * 1000))
