"""What a node's settings mean for its sessions: one value for all of a kind of wire."""

from typing import Literal

from wirehop.core.limits import Limits
from wirehop.core.terms import Heartbeat, Terms
from wirehop.settings.tree import Settings
from wirehop.version import __version__

HeartbeatStyle = Literal["pong", "ping", "none"]
"""How a transport's wires show that they live: pings that want an answer, pings only, or by themselves."""


def limits_of(settings: Settings) -> Limits:
    """The bounds of every session."""
    chosen = settings.limits
    return Limits(
        connect_seconds=chosen.connect_timeout,
        held_bytes=chosen.held_bytes,
        pending_commands=chosen.pending_commands,
        channels=chosen.channels_per_session,
        channel_bytes=chosen.channel_length,
        recovery_publications=chosen.recovery_publications,
        recovery_bytes=chosen.recovery_bytes,
        expiry_grace_seconds=chosen.expiry_grace,
    )


class SessionTerms:
    """`wires` are the paths of the wires that are offered, by name."""

    def __init__(self, settings: Settings, limits: Limits, *, node: str, wires: dict[str, str]) -> None:
        self._settings = settings
        self._limits = limits
        self._node = node
        self._wires = wires
        self._known: dict[HeartbeatStyle, Terms] = {}

    def of(self, heartbeat: HeartbeatStyle) -> Terms:
        """The terms of a session on such a wire."""
        terms = self._known.get(heartbeat)
        if terms is None:
            interval, beat = self._settings.heartbeat.interval, None
            if heartbeat != "none":
                beat = Heartbeat(interval, interval / 2, wants_pong=heartbeat == "pong")
            terms = self._known[heartbeat] = Terms(
                self._limits,
                beat,
                version=__version__,
                node=self._node,
                window=round(self._settings.sessions.window),
                keep=round(self._settings.idempotency.keep),
                wires=self._wires,
            )
        return terms
