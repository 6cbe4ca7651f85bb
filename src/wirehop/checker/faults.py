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


class Handshake(Struct, frozen=True):
    """A new connection takes a round trip of the link (twice `Delay.seconds`) before it carries anything, as TCP's
    does; with `Loss`, the second longer that a lost SYN costs (RFC 6298 section 2.1)."""

    name: ClassVar[str] = "handshake"


class Loss(Struct, frozen=True):
    """So much of what is sent is lost on the way. On TCP that is a stall: what was lost is sent again, and what lies
    behind it waits and comes in a burst (`loss` has the model). A datagram is gone."""

    share: float = 0.01
    name: ClassVar[str] = "loss"


class Bandwidth(Struct, frozen=True):
    """So many bytes a second, each way, for all connections together; 0: no limit. At most `queue` bytes wait in front
    of it; then a connection is read no further, and a datagram is dropped."""

    down: int = 0
    up: int = 0
    queue: int = 65_536
    name: ClassVar[str] = "bandwidth"


class BufferStreams(Struct, frozen=True):
    """Answers that stream are held back until `kib` KiB have gathered, the first byte of them is `seconds` old (0: no
    matter how old), or the answer is over."""

    kib: int = 16
    seconds: float = 0.0
    name: ClassVar[str] = "buffering proxy"


class CutIdle(Struct, frozen=True):
    """A connection on which nothing has passed for so long, either way, is closed."""

    seconds: float = 60.0
    name: ClassVar[str] = "idle connection cut"


class StripUpgrade(Struct, frozen=True):
    """Requests to upgrade reach the server without the headers that say so, as from a proxy that knows HTTP/1.0: hop by
    hop, they end with it (RFC 9110 section 7.6.1)."""

    name: ClassVar[str] = "upgrade stripped"


class GzipStreams(Struct, frozen=True):
    """Event streams are compressed, and leave the compressor when it has a block full, not when an event is over."""

    name: ClassVar[str] = "event stream compressed"


class Inspect(Struct, frozen=True):
    """It wants to read everything: TLS that it cannot open is refused with an alert, upgrades with 403, and requests
    are written anew (names of headers in one case, `Via` added)."""

    name: ClassVar[str] = "inspected"


class BlockUdp(Struct, frozen=True):
    """No datagram passes."""

    name: ClassVar[str] = "datagrams blocked"


class ReorderDatagrams(Struct, frozen=True):
    """So much of all datagrams is `seconds` later than the others, and overtaken by them."""

    share: float = 0.05
    seconds: float = 0.02
    name: ClassVar[str] = "datagrams reordered"


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
    | Handshake
    | Loss
    | Bandwidth
    | BufferStreams
    | CutIdle
    | StripUpgrade
    | GzipStreams
    | Inspect
    | BlockUdp
    | ReorderDatagrams
    | EatFrames
    | BlockWebSocket
    | ReorderPosts
    | DuplicatePosts
    | AnswerPosts
)
CUT = "cut"
"""The counter of connections that were cut."""
ROAMED = "roamed"
"""The counter of connections whose client has got another address."""
SEGMENTS = "segments"
SEGMENTS_LOST = "segments lost"
"""What `Loss` looked at, and what it took."""
DATAGRAMS = "datagrams"
DATAGRAMS_LOST = "datagrams lost"
DATAGRAMS_OVER = "datagrams over the queue"
"""Dropped because too much was waiting."""
