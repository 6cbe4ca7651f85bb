"""What a TURN server allows, each written once."""

from msgspec import Struct

from wirehop.rtc.pure.stun import Family


class TurnOptions(Struct, frozen=True, kw_only=True):
    """Options of one machine. Times in seconds, sizes in bytes."""

    secret: str
    """Of the time-limited credentials."""
    realm: str = "wirehop"
    families: tuple[Family, ...] = (Family.IPV4,)
    """Of which relayed addresses can be had."""
    lifetime: float = 3600.0
    """Longest lifetime of an allocation."""
    allocations: int = 2000
    """At a time, reservations counted in; then 508."""
    allocations_per_user: int = 50
    """Of one user at a time; then 486."""
    bandwidth: int = 0
    """Bytes a second of one allocation, both ways together; 0: no limit."""
    unauthenticated_rate: int = 200
    """Answers to one address in a second that need no credentials; the rest is dropped."""
    software: bytes = b"wirehop"
    """What answers call themselves: no version, which would help nobody but an attacker."""
