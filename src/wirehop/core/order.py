"""Commands on one channel run one after the other, in the order in which they came; other channels do not wait.

A set of channels on which a command is running, and what waits behind it. Nothing is stored while nothing runs.
"""

from collections import deque

from wirehop.core.messages import Command


class CommandOrder:
    """`waiting` counts the commands that wait; the caller bounds it."""

    __slots__ = ("_busy", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self._busy: dict[str, deque[Command] | None] | None = None

    def begin(self, channel: str) -> None:
        """A command on this channel is running now."""
        if self._busy is None:
            self._busy = {}
        self._busy.setdefault(channel, None)

    def must_wait(self, channel: str, command: Command) -> bool:
        """Whether a command is running on the channel; then this one waits for `finish`."""
        if self._busy is None or channel not in self._busy:
            return False
        waiting = self._busy[channel]
        if waiting is None:
            waiting = self._busy[channel] = deque()
        waiting.append(command)
        self.waiting += 1
        return True

    def keep_once_only(self) -> None:
        """The wire is another one: of what waits, only publishes stay; the client asks again for the others."""
        for channel, waiting in (self._busy or {}).items():
            if waiting is not None and self._busy is not None:
                kept = deque(command for command in waiting if command.publish is not None)
                self.waiting -= len(waiting) - len(kept)
                self._busy[channel] = kept or None

    def finish(self, channel: str) -> list[Command]:
        """The running command is done: those to run now, in order. Each may make the later ones wait again."""
        if self._busy is None or channel not in self._busy:
            return []
        waiting = self._busy.pop(channel)
        if not self._busy:
            self._busy = None
        if waiting is None:
            return []
        self.waiting -= len(waiting)
        return list(waiting)
