"""The order of a session's commands, for clients that number them (`wh`): once each, without gaps, however they arrive.

`accept` gives back the commands that may start now. A number below the next one was accepted before and is dropped:
its reply stands, or will stand, in a batch that is given again until acknowledged. A number above waits for the gap.
"""

from msgspec import Struct

from wirehop.core.messages import FIRST_UNNUMBERED_ID, Command


class Held(Struct, frozen=True):
    command: Command
    size: int


class CommandNumbers:
    """`next` is the lowest number not yet accepted.

    At most `max_count` commands and `max_bytes` of them wait for a gap; one more is an `OverflowError`, and the caller
    closes the session.
    """

    __slots__ = ("_bytes", "_held", "gap_since", "max_bytes", "max_count", "next")

    def __init__(self, *, max_count: int, max_bytes: int) -> None:
        self.next = 1
        self.max_count = max_count
        self.max_bytes = max_bytes
        self.gap_since: float | None = None  # since when something waits
        self._held: dict[int, Held] | None = None
        self._bytes = 0

    def __contains__(self, number: int) -> bool:
        """Whether the command waits for a gap."""
        return self._held is not None and number in self._held

    @property
    def waiting(self) -> int:
        """How many commands wait."""
        return 0 if self._held is None else len(self._held)

    def accept(self, command: Command, size: int, now: float) -> list[Command]:
        """The commands that may start because `command` (of `size` bytes) arrived, in the order of their numbers."""
        number = command.id
        if number >= FIRST_UNNUMBERED_ID:
            return [command]
        if number < self.next or number in self:
            return []
        if number > self.next:
            self._hold(command, size)
            if self.gap_since is None:
                self.gap_since = now
            return []
        self.next += 1
        if self._held is None:
            return [command]
        ready = [command]
        while self.next in self._held:
            held = self._held.pop(self.next)
            self._bytes -= held.size
            ready.append(held.command)
            self.next += 1
        if not self._held:
            self._held = None  # an emptied dictionary keeps its memory
        self.gap_since = now if self._held else None
        return ready

    def held(self) -> list[Held]:
        """The commands that wait, in order."""
        return [held for _, held in sorted((self._held or {}).items())]

    def restart_gap(self, now: float) -> None:
        """The client is on another wire: a gap has its whole time again."""
        if self.gap_since is not None:
            self.gap_since = now

    def _hold(self, command: Command, size: int) -> None:
        if self.waiting >= self.max_count or self._bytes + size > self.max_bytes:
            raise OverflowError
        if self._held is None:
            self._held = {}
        self._held[command.id] = Held(command, size)
        self._bytes += size
