"""Run a Firefox in a network namespace while who drives it stays outside.

    python passage.py /run/netns/NAME ip netns exec NAME firefox-esr …

Firefox says on stderr where it listens, on a loopback address that only its own namespace has. Before that line is
passed on, the same port is opened here, and what connects to it comes out inside. It ends with Firefox.
"""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from netns import enter

_LISTENS = re.compile(rb"listening on ws://127\.0\.0\.1:(\d+)")
_MOST = 65_536


def main(namespace: str, *command: str) -> int:
    """Start it, and carry bytes until it ends; its exit code."""
    firefox = subprocess.Popen(command, stderr=subprocess.PIPE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: firefox.terminate())
    assert firefox.stderr is not None
    for line in firefox.stderr:
        found = _LISTENS.search(line)
        if found is not None:
            open_passage(namespace, int(found[1]))
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
    return firefox.wait()


def open_passage(namespace: str, port: int) -> None:
    """Listen here; each connection goes on to the same port inside."""
    listener = socket.create_server(("127.0.0.1", port))

    def accept() -> None:
        while True:
            outside, _ = listener.accept()
            threading.Thread(target=connect, args=(namespace, port, outside), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def connect(namespace: str, port: int, outside: socket.socket) -> None:
    """Join the two ends until one closes. This thread is in the namespace from now on, and no other."""
    enter(namespace)
    with outside, socket.create_connection(("127.0.0.1", port)) as inside:
        back = threading.Thread(target=carry, args=(inside, outside), daemon=True)
        back.start()
        carry(outside, inside)
        back.join()


def carry(source: socket.socket, target: socket.socket) -> None:
    """One direction."""
    with contextlib.suppress(OSError):
        while data := source.recv(_MOST):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
