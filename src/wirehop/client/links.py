"""The client's wires: the current one, one that is on its way to take over, and one that was left and still speaks.

It gives them their numbers, knows which of them counts and which is overdue, and says what is to be opened and closed.
What is said on them is not its matter.
"""

from wirehop.client.link import LEFT_SECONDS, SECONDS, Link, LinkState
from wirehop.client.outputs import ClientOutput, CloseWire, OpenWire
from wirehop.core import codes


class Links:
    """`current` is where commands go; `may_have_moved`: a newer one was confirmed, and the answer may be lost. `out`
    takes what comes of it."""

    def __init__(self, out: list[ClientOutput]) -> None:
        self.current: Link | None = None
        self.may_have_moved = False
        self._out = out
        self._by_number: dict[int, Link] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._by_number)

    @property
    def trial(self) -> Link | None:
        """The one that is on its way to be the current one."""
        return next((link for link in self._by_number.values() if link.is_new), None)

    def get(self, number: int) -> Link | None:
        """The wire with this number, unless it is gone."""
        return self._by_number.get(number)

    def open(self, shown: str, to: tuple[str, ...] = (), *, is_move: bool = False, reason: str = "") -> None:
        """One more, with the session's token."""
        self._last += 1
        self._by_number[self._last] = Link(self._last, shown=shown)
        self._out.append(OpenWire(self._last, to, is_move, reason))

    def close(self, link: Link, *, is_bye: bool = False) -> None:
        """Close it and forget it. `is_bye`: it takes the last words first."""
        self.lose(link.number)
        self._out.append(CloseWire(link.number, is_bye))

    def heard(self) -> list[Link]:
        """Those on which the server executes commands: the current one, or one that it was told to make current."""
        return [link for link in self._by_number.values() if link is self.current or link.is_confirming]

    def close_all(self, *, is_bye: bool = False) -> None:
        """Close all; `is_bye` is for those on which the server executes commands."""
        heard = self.heard()
        for link in list(self._by_number.values()):
            self.close(link, is_bye=is_bye and link in heard)

    def close_left(self) -> None:
        """Close the one that was left."""
        for link in list(self._by_number.values()):
            if link.state is LinkState.LEFT:
                self.close(link)

    def lose(self, number: int) -> Link | None:
        """It is gone; the one that was there with this number."""
        link = self._by_number.pop(number, None)
        if link is self.current:
            self.current = None
        return link

    def confirming(self, link: Link) -> None:
        """The server is told that the client hears it on this wire."""
        self.may_have_moved = self.may_have_moved or link.state is LinkState.TRIAL

    def take_over(self, link: Link, now: float) -> None:
        """The one that was on its way is current, and the one before is left."""
        old, self.current, self.may_have_moved = self.current, link, False
        if old is not None:
            old.state, old.due, old.silent_at = LinkState.LEFT, now + LEFT_SECONDS, None
        link.state, link.due = LinkState.CURRENT, None

    def deadlines(self) -> list[float | None]:
        """When `tick` is due."""
        return [at for link in self._by_number.values() for at in (link.due, link.silent_at)]

    def tick(self, now: float) -> list[tuple[Link, int, str]]:
        """Time has passed: those that have to be given up, each with a code and the reason. One that was left is
        closed."""
        given_up = []
        for link in list(self._by_number.values()):
            if link.state is LinkState.LEFT:
                if link.due is not None and now >= link.due:
                    self.close(link)
            elif link.due is not None and now >= link.due:
                given_up.append((link, 0, f"no answer within {SECONDS:g} s"))
            elif link.silent_at is not None and now >= link.silent_at:
                given_up.append((link, codes.NO_PONG.number, "nothing came for 1.5 heartbeats"))
        return given_up
