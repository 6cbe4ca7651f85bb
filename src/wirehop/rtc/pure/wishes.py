"""What one side of a negotiation still wants, what it has asked the other side for, and how long it waits for that."""

ANSWER_SECONDS = 10.0
"""How long the first offer, or wish for a restart, waits; each one after it twice as long, 160 s at most."""
LONGEST_ANSWER_SECONDS = 160.0


class Wishes:
    """`is_needed`: an offer has to go out; `wants_restart`: with fresh ICE; `offers_restart`: the one under way has it.
    `asked`: the newest generation that was known when the other side was asked for a restart, -1 if it was not. `due`:
    when to say again what nothing has followed."""

    __slots__ = ("_wait", "asked", "due", "is_needed", "offers_restart", "wants_restart")

    def __init__(self) -> None:
        self.is_needed = self.wants_restart = self.offers_restart = False
        self.asked = -1
        self.due: float | None = None
        self._wait = ANSWER_SECONDS

    @property
    def is_any(self) -> bool:
        """Whether there is something to offer."""
        return self.is_needed or self.wants_restart

    def wait(self, now: float) -> None:
        """Something was said that the other side has to follow."""
        self.due, self._wait = now + self._wait, min(2 * self._wait, LONGEST_ANSWER_SECONDS)

    def rest(self) -> None:
        """Nothing is waited for."""
        self.due, self.asked = None, -1

    def offer(self, *, is_bound: bool) -> bool:
        """An offer goes out for all of it; whether it restarts."""
        self.offers_restart = self.wants_restart and is_bound
        self.is_needed = self.wants_restart = False
        self.rest()
        return self.offers_restart

    def give_up_offer(self) -> None:
        """It was for nothing: what it was for is still wanted."""
        self.is_needed = True
        self.wants_restart = self.wants_restart or self.offers_restart
        self.offers_restart, self.due = False, None

    def agreed(self) -> None:
        """The next one does not wait for long."""
        self._wait = ANSWER_SECONDS

    def restarted(self) -> None:
        """A new peer connection is as good as any restart."""
        self.wants_restart = self.offers_restart = False
        self.rest()

    def drop(self) -> None:
        """There is nobody to want anything from."""
        self.is_needed = False
        self.restarted()
        self.agreed()
