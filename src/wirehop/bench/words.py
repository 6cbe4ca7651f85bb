"""What `run` and its child processes say to each other: one line of JSON each.

It knows the words. It does not know pipes, nor what is done with them.
"""

from typing import Final, Literal

from msgspec import Struct

CONNECT_SECONDS: Final = 60.0
"""In which all clients must be connected."""

DRAIN_SECONDS: Final = 5.0
"""In which the last deliveries must come."""

CHANNEL: Final = "bench:all"
ECHO_METHOD: Final = "echo"

Target = Literal["wirehop", "floor"]
Task = Literal["subscribe", "echo"]


class Started(Struct, frozen=True):
    """The first line."""

    port: int
    loop: str
    sender: str
    """How publications are written: `io_uring` or `transport.write`."""


class Used(Struct, frozen=True):
    """The answer to every line of the input."""

    cpu: float
    """Seconds of processor time, user and system."""


class Open(Struct, frozen=True, tag="open"):
    """Open clients."""

    target: Target
    task: Task
    port: int
    count: int


class Publish(Struct, frozen=True, tag="publish"):
    """Publish to them: the next when all have the last, or `rate` a second."""

    seconds: float
    size: int
    rate: float = 0.0


class Echo(Struct, frozen=True, tag="echo"):
    """Each client sends and waits for what comes back, again and again."""

    seconds: float
    size: int


class Close(Struct, frozen=True, tag="close"):
    """End the clients."""


class Opened(Struct, frozen=True):
    """Answer to `Open`."""

    ready: int
    seconds: float
    error: str = ""


class Measured(Struct, frozen=True):
    """Answer to `Publish` and `Echo`."""

    count: int
    """Deliveries, or echoes."""
    seconds: float
    missing: int = 0
    p50_ms: float = 0.0
    p90_ms: float = 0.0
    p99_ms: float = 0.0
    shape: tuple[int, ...] = ()
    """Counts of latencies in equal parts of the time up to the 99.5th percentile."""
    shape_ms: float = 0.0
    error: str = ""


Command = Open | Publish | Echo | Close
