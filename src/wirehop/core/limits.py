"""Every bound of the machines in one value, with the unit in the name and what happens at the bound.

Settings fill it; the machines read it. A bound that is reached is always an error or a close with a code, and counted.
"""

from msgspec import Struct


class Limits(Struct, frozen=True):
    """The bounds of one session and of the channels it reads.

    `connect_seconds`: a wire without a connect command is closed with 3502. `held_bytes`: commands behind a pending
    connect, or behind a gap in their numbers; more closes with 3501. `pending_commands`: unanswered commands of a
    session; one more is answered 111. `gap_seconds`: a gap in the command numbers that stays open this long closes
    with 3010. `channels`: subscriptions of a session; one more is answered 106. `channel_bytes`: length of a
    channel's name in UTF-8; longer is answered 107. `recovery_publications`, `recovery_bytes`: what one recovery
    gives at most; beyond it `recovered` is false. `page_publications`, `page_bytes`: what a slow slot reads at a
    time. `history_publications`: what one history reply holds at most, in publications (and `page_bytes`).
    `expiry_grace_seconds`: how long after its end an expired session (3005) or subscription (2501) is still kept, for a
    refresh that is on its way. `merge_attempts`: how often a slot reads again when history and live publications do
    not meet; then it ends with 2500.
    """

    connect_seconds: float = 10.0
    held_bytes: int = 65_536
    pending_commands: int = 256
    gap_seconds: float = 30.0
    channels: int = 128
    channel_bytes: int = 255
    recovery_publications: int = 300
    recovery_bytes: int = 1_048_576
    page_publications: int = 300
    page_bytes: int = 65_536
    history_publications: int = 1_000
    expiry_grace_seconds: float = 10.0
    merge_attempts: int = 3


DEFAULT_LIMITS = Limits()


def channel_problem(channel: str, limits: Limits) -> str:
    """Why no channel can have this name; "" where one can."""
    if not channel:
        return "a channel has a name"
    if len(channel) > limits.channel_bytes or (not channel.isascii() and len(channel.encode()) > limits.channel_bytes):
        return f"a channel's name has at most {limits.channel_bytes} bytes"
    if not channel.isprintable():
        return "a channel's name has no control characters"
    return ""
