"""`wirehop serve` in a namespace."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..e2e.servers import Server
from .netns import Namespace


@contextlib.contextmanager
def serving(namespace: Namespace, port: int, *arguments: str, log: Path) -> Iterator[Server]:
    """A server with these arguments; it may log no error."""
    server = Server(*arguments, log=log, port=port)
    with namespace.entered():
        server.start()
    try:
        yield server
    finally:
        server.stop()
    errors = server.errors()
    assert not errors, "\n".join(errors)
