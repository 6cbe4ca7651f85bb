"""What a kind of wire brings to a session: bounds, heartbeat, names to give out. Shared by all sessions of the kind."""

from msgspec import Struct

from wirehop.core.limits import Limits


class Heartbeat(Struct, frozen=True):
    """A ping every `interval` seconds; where `wants_pong`, its answer must come within `patience` seconds (3012)."""

    interval: float
    patience: float
    wants_pong: bool


class Terms(Struct, frozen=True):
    """Bounds, heartbeat (None: the wire looks after itself), and the version and node that the connect result names.

    `node` goes into the connect result of wires whose commands travel apart. For clients whose sessions move: `window`
    is the seconds that a session waits for a wire, `keep` those for which idempotency keys are kept, `wires` the paths
    of the wires that the server offers, by name.
    """

    limits: Limits
    heartbeat: Heartbeat | None
    version: str = ""
    node: str = ""
    window: int = 0
    keep: int = 0
    wires: dict[str, str] = {}
