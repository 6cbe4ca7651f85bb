"""Whether a port is free, and who holds it."""

import errno
import os
import socket


def problem_of(host: str, port: int, *, kind: socket.SocketKind = socket.SOCK_STREAM) -> OSError | None:
    """Why nobody can listen there now; None where it is free (or `port` is 0). Nothing stays open."""
    if not port:
        return None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=kind, flags=socket.AI_PASSIVE)[
            0
        ]
        with socket.socket(family, kind, protocol) as each:
            if kind == socket.SOCK_DGRAM:
                each.bind(address)
                return None
            if os.name == "posix":  # as asyncio does: what is in TIME_WAIT does not hold a port
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(address)
            each.listen(1)
    except OSError as error:
        return error
    return None


def is_held(error: OSError) -> bool:
    """Whether somebody else listens there."""
    return error.errno == errno.EADDRINUSE


def holder(port: int) -> str:
    """Which process listens on the port, where that can be told: psutil is there, and the process is ours to see."""
    try:
        import psutil

        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except Exception:  # whoever holds it, the finding is true without the name
        return ""
    return ""
