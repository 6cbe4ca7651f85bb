"""The host's limits and times, each written once. It knows numbers; it does not know who obeys them."""

import ssl

from msgspec import Struct


class HostOptions(Struct, frozen=True, kw_only=True):
    """What a `NativeServer` allows. Sizes in bytes, times in seconds."""

    header_bytes: int = 32_768
    """Most bytes of one request head, request line included; above it 431."""
    header_count: int = 100
    """Most header fields of one request; above it 431."""
    target_bytes: int = 16_384
    """Longest request line; above it 414."""
    body_bytes: int = 1_048_576
    """Largest request body; above it 413, and the rest is not read."""
    header_seconds: float = 10.0
    """Time for a whole request head, since the connection was accepted or its first byte came; then 408."""
    body_seconds: float = 30.0
    """Time for a whole request body; then 408."""
    keep_alive_seconds: float = 75.0
    """How long a connection without a request is kept."""
    backlog: int = 2048
    """Length of the kernel's queue of connections not yet accepted."""
    max_connections: int = 0
    """Most connections at once, 0 for no limit; above it 503 and close."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) whose `X-Forwarded-*` and `Forwarded` headers are believed."""
    ssl_context: ssl.SSLContext | None = None
    """TLS in this process; None serves plain TCP."""
    write_high_water: int = 65_536
    """Unsent bytes of a stream or WebSocket above which its listener is `paused`."""
    write_low_water: int = 16_384
    """Unsent bytes below which it is `resumed`."""
    close_seconds: float = 5.0
    """How long to wait for the peer's close frame, and for a closing connection to take what is unsent."""
    linger_seconds: float = 2.0
    """After a refusal: how long to discard what the peer still sends, so that it can read the answer."""
    compression: bool = False
    """Whether permessage-deflate (RFC 7692) is agreed to where a WebSocket client offers it."""
    tcp_user_timeout: float = 0.0
    """Unacknowledged data for so long means that the peer is gone (Linux only); 0 leaves it to the kernel."""
