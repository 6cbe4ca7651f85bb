"""One wire as the client's machine sees it: from its opening to its end, on trial, current, or left.

OPENING ─opened→ CONNECTING ─admitted→ TRIAL ─confirmed→ CURRENT ─superseded→ LEFT
                            └─admitted, as the first wire of its session→ CURRENT
"""

from enum import Enum, auto

from wirehop.client.messages import ClientConnectResult

SECONDS = 10.0
"""For a wire to bring its connect result, and for a trial to be confirmed."""
LEFT_SECONDS = 5.0
"""For a wire that was left to say what it still has to say."""
SILENCE = 1.5
"""A wire that is silent for so many heartbeats is lost."""


class LinkState(Enum):
    OPENING = auto()
    CONNECTING = auto()
    TRIAL = auto()
    CURRENT = auto()
    LEFT = auto()


class Link:
    """`attach` is the server's number for the wire, `shown` the token that it was opened with; `confirm` the id of the
    confirming ping while that is not answered."""

    def __init__(self, number: int, *, shown: str) -> None:
        self.number = number
        self.state = LinkState.OPENING
        self.shown = shown
        self.due: float | None = None  # when it is given up; while it opens that is the wire's own matter
        self.silent_at: float | None = None
        self.attach = 0
        self.confirm = 0
        self.result: ClientConnectResult | None = None
        self.ended: dict[str, int] = {}
        self.stated: tuple[str, ...] = ()  # channels that the connect command has named
        self.epochs: dict[str, str] = {}  # of the logs that this wire speaks of, by channel

    @property
    def is_new(self) -> bool:
        """Whether it has brought nothing yet that an application could use."""
        return self.state in (LinkState.OPENING, LinkState.CONNECTING, LinkState.TRIAL)

    @property
    def is_confirming(self) -> bool:
        """Whether the server was told to make it current, and has not answered."""
        return self.state is LinkState.TRIAL and self.confirm > 0

    def heard(self, now: float) -> None:
        """Something came."""
        if self.result is not None and self.result.ping:
            self.silent_at = now + SILENCE * self.result.ping
