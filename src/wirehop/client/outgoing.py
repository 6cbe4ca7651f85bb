"""What a client has to say, in order and once: commands that wait, and those that were numbered and are not answered.

Theory. Commands of a session have the numbers 1, 2, 3 … without gaps. A command that was sent once keeps its number and
is sent again on every new wire, until its reply is here or (for `send`, which has none) until the server is known to
have accepted it: a reply to a later number, or a ping's `next`, shows that. The server keeps the replies of what must
not run twice until they are acknowledged, so every message says which have arrived: all up to a number, and these.

It does no I/O and knows no wire. Everything is bounded: `limit` numbers that are not acknowledged as a whole (the rest
waits), and `COMMANDS` or `BYTES` that wait.
"""

from collections import deque

from msgspec.structs import replace

from wirehop.core.messages import FIRST_UNNUMBERED_ID, Command, CommandWh, PingRequest

COMMANDS = 10_000
BYTES = 1_048_576
LIMIT = 256
"""Unacknowledged numbers, until the server says otherwise."""


class Sent:
    """A command with a number. `call` is who waits for its reply: 0 for nobody."""

    __slots__ = ("call", "command")

    def __init__(self, call: int, command: Command) -> None:
        self.call = call
        self.command = command


class Outgoing:
    """The machine. `next` is the next number; `sent` what is not answered, by number."""

    def __init__(self) -> None:
        self.limit = LIMIT
        self.next = 1
        self.sent: dict[int, Sent] = {}
        self._waiting: deque[tuple[int, Command, int]] = deque()  # call, command, size
        self._bytes = 0
        self._all_up_to = 0  # answered, without a gap
        self._answered: set[int] = set()  # beyond that
        self._unnumbered = FIRST_UNNUMBERED_ID

    @property
    def is_empty(self) -> bool:
        """Whether everything has reached the server."""
        return not self.sent and not self._waiting

    @property
    def acked(self) -> tuple[int, ...]:
        """What to acknowledge: `wh.acked`."""
        return (self._all_up_to, *sorted(self._answered)) if self._all_up_to or self._answered else ()

    def add(self, call: int, command: Command) -> bool:
        """One more command, for later. False: too much waits."""
        size = size_of(command)
        if len(self._waiting) >= COMMANDS or self._bytes + size > BYTES:
            return False
        self._waiting.append((call, command, size))
        self._bytes += size
        return True

    def ready(self) -> list[Command]:
        """Those that may go now, with their numbers."""
        found = []
        while self._waiting and self.next - 1 - self._all_up_to < self.limit:
            call, command, size = self._waiting.popleft()
            self._bytes -= size
            found.append(self.number(command, call))
        return found

    def number(self, command: Command, call: int = 0) -> Command:
        """The command with the next number; it is kept until it is answered."""
        numbered = replace(command, id=self.next)
        self.sent[self.next] = Sent(call, numbered)
        self.next += 1
        return numbered

    def unnumbered(self) -> int:
        """An id outside of the numbers."""
        self._unnumbered = FIRST_UNNUMBERED_ID if self._unnumbered >= 4_294_967_294 else self._unnumbered + 1
        return self._unnumbered

    def answered(self, number: int) -> tuple[Sent | None, list[Sent]]:
        """The reply to a number has come: whose it is, and the sends before it that it shows to have been accepted."""
        sent = self._done(number)
        return sent, self.accepted(number)

    def accepted(self, below: int) -> list[Sent]:
        """The server has accepted all numbers below this one: the sends among them, which get no reply."""
        found = [number for number, each in self.sent.items() if number < below and each.command.send is not None]
        return [each for each in map(self._done, found) if each is not None]

    def _done(self, number: int) -> Sent | None:
        sent = self.sent.pop(number, None)
        if sent is not None:
            self._answered.add(number)
            while self._all_up_to + 1 in self._answered:
                self._all_up_to += 1
                self._answered.discard(self._all_up_to)
        return sent

    def again(self) -> list[Command]:
        """Everything that is not answered, for a new wire."""
        return [self.sent[number].command for number in sorted(self.sent)]

    def start_at(self, number: int) -> None:
        """This client has lost its commands (a reload): the numbers below were another life's."""
        if number > self.next and not self.sent:
            self.next, self._all_up_to = number, number - 1

    def begin_anew(self) -> tuple[list[Sent], list[Sent]]:
        """The session is a new one: numbers start at 1. What was sent and is not answered: what may be sent again
        without being done twice, and what has an unknown outcome. The caller adds the first again."""
        safe: list[Sent] = []
        lost: list[Sent] = []
        for number in sorted(self.sent):
            publish = self.sent[number].command.publish
            is_keyed = publish is not None and publish.wh is not None and bool(publish.wh.key)
            (safe if is_keyed else lost).append(self.sent[number])
        self.next, self._all_up_to = 1, 0
        self.sent, self._answered, self.limit = {}, set(), LIMIT
        return safe, lost

    def put_back(self, sent: list[Sent]) -> None:
        """These go first."""
        for each in reversed(sent):
            size = size_of(each.command)
            self._waiting.appendleft((each.call, each.command, size))
            self._bytes += size

    def abandon(self, call: int) -> None:
        """Nobody waits for the reply. What was not sent never is; what was leaves a ping in its place."""
        kept = [each for each in self._waiting if each[0] != call]
        if len(kept) != len(self._waiting):
            self._waiting = deque(kept)
            self._bytes = sum(size for _, _, size in kept)
        for number, sent in self.sent.items():
            if sent.call == call:
                self.sent[number] = Sent(0, Command(number, ping=PingRequest()))

    def calls(self) -> list[int]:
        """Everybody who waits for a reply; nothing is left afterwards."""
        found = [sent.call for _, sent in sorted(self.sent.items())] + [call for call, _, _ in self._waiting]
        self.sent, self._waiting, self._bytes = {}, deque(), 0
        return [call for call in found if call]


def size_of(command: Command) -> int:
    """What a command counts for while it waits, in bytes: its payload and a little more."""
    for request in (command.publish, command.rpc, command.send):
        if request is not None:
            return len(bytes(request.data)) + 64
    return 64


def marked(commands: list[Command], *, attach: int, acked: tuple[int, ...]) -> tuple[Command, ...]:
    """A message: its first command says what it says of the session."""
    if not commands or not (attach or acked):
        return tuple(commands)
    bye = commands[0].wh is not None and commands[0].wh.bye
    return (replace(commands[0], wh=CommandWh(attach=attach, acked=acked, bye=bye)), *commands[1:])
