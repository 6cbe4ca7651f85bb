"""The server under measurement, started and stopped."""

import sys

from wirehop.checker.server import OwnServer

HEARTBEAT = 25.0
"""Seconds: the server's default."""


def stage(heartbeat: float = HEARTBEAT) -> OwnServer:
    """A server process as an asynchronous context: `async with stage() as server`."""
    return OwnServer((sys.executable, "-m", "wirehop.lab.measure.server", "{port}", str(heartbeat)))
