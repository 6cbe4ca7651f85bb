"""The ASGI host's limits and times, and the types of the interface. It knows numbers; it does not know who obeys them.

What a server limits itself (heads, keep-alive, connections, TLS, proxies) is the server's business and not here.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from msgspec import Struct

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class AsgiOptions(Struct, frozen=True, kw_only=True):
    """What an `AsgiHost` allows. Sizes in bytes, times in seconds."""

    body_bytes: int = 1_048_576
    """Largest request body; above it 413, and the rest is not read."""
    body_seconds: float = 30.0
    """Time for a whole request body; then 408."""
    write_high_water: int = 65_536
    """Bytes that wait for the server above which a stream's or WebSocket's listener is `paused`."""
    write_low_water: int = 16_384
    """Waiting bytes below which it is `resumed`."""
    write_limit: int = 16_777_216
    """Waiting bytes above which the wire is aborted and counted (`wire.overflow`): a burst of one turn of the loop may
    pass the high-water mark, since listeners hear of it in the next."""
    close_seconds: float = 5.0
    """After the end of a stream or WebSocket: how long the server may take for each message that is left, before the
    wire is aborted and counted (`wire.stalled`)."""
