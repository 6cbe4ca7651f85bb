"""What can go wrong between a client and a server, as values; `proxy` does it.

A fault that lasts is in force from `set` until the next `set`. `name` is the key of its counter.
"""

from typing import ClassVar, Literal

from msgspec import Struct


class BlackHole(Struct, frozen=True):
    """Bytes are accepted, and nothing comes out at either end. A connection that has lost bytes so stays dead."""

    name: ClassVar[str] = "black hole"


class HalfOpen(Struct, frozen=True):
    """One direction dies, the other goes on. What was lost stays lost: the connection never recovers."""

    towards: Literal["client", "server"] = "client"
    name: ClassVar[str] = "half-open"


class Refuse(Struct, frozen=True):
    """New connections are reset at once."""

    name: ClassVar[str] = "refused"


class Tunnel(Struct, frozen=True):
    """Nothing passes, and all of it comes out late when the fault is over, as TCP does after a loss of signal."""

    name: ClassVar[str] = "tunnel"


class Delay(Struct, frozen=True):
    """Each piece comes `seconds` later, ± up to `jitter` seconds; the order stays."""

    seconds: float = 0.1
    jitter: float = 0.0
    name: ClassVar[str] = "delay"


class SlowReader(Struct, frozen=True):
    """The client takes only so many bytes a second of what the server sends."""

    bytes_per_second: int = 4096
    name: ClassVar[str] = "slow reader"


class BufferStreams(Struct, frozen=True):
    """Answers that stream are held back until `kib` KiB have gathered or the answer is over."""

    kib: int = 16
    name: ClassVar[str] = "buffering proxy"


class EatFrames(Struct, frozen=True):
    """The answer 101 to a WebSocket upgrade passes, and nothing after it, in both directions."""

    name: ClassVar[str] = "frames eaten"


class BlockWebSocket(Struct, frozen=True):
    """Upgrades are answered with 403."""

    name: ClassVar[str] = "websocket blocked"


class ReorderPosts(Struct, frozen=True):
    """Each POST of commands waits for a random part of `seconds`, so that the next on another connection overtakes."""

    seconds: float = 0.3
    name: ClassVar[str] = "posts reordered"


class DuplicatePosts(Struct, frozen=True):
    """Each POST of commands is delivered twice, the second time a random part of `seconds` later: at once, or behind
    the POSTs that follow it. Its second answer is thrown away."""

    seconds: float = 0.5
    name: ClassVar[str] = "posts duplicated"


class AnswerPosts(Struct, frozen=True):
    """POSTs of commands are answered with this status and do not reach the server. With `is_delivered` they do, and
    only the answer is this."""

    status: Literal[404, 502] = 502
    is_delivered: bool = False
    name: ClassVar[str] = "posts answered by the proxy"


Fault = (
    BlackHole
    | HalfOpen
    | Refuse
    | Tunnel
    | Delay
    | SlowReader
    | BufferStreams
    | EatFrames
    | BlockWebSocket
    | ReorderPosts
    | DuplicatePosts
    | AnswerPosts
)
CUT = "cut"
"""The counter of connections that were cut."""
