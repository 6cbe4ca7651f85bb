"""The server's rules for signals between participants of a room: how many, how large, in which order.

Theory. A room is a channel, a participant a session in it. A signal goes to one other participant, as a call of the
server: the calls to one participant are made in the order in which the signals came, a few at a time (the rest wait
here, so that many who join at once do not fill a slow wire), and a call that is answered makes room for the next. Who
leaves the room gets nothing more of it. Whoever drives this knows who is in the room.
"""

from collections import Counter, deque
from enum import Enum

from msgspec import Raw, Struct


class RoomLimits(Struct, frozen=True):
    """What one participant may send, and what waits for one."""

    signal_bytes: int = 65_536
    """One signal, as JSON."""
    burst: int = 512
    """Signals that one participant may send at once."""
    rate: float = 64.0
    """Signals a second that it may send after that."""
    in_flight: int = 32
    """Calls to one participant that are not answered."""
    in_flight_bytes: int = 32_768
    """The same in bytes, unless a single one is larger."""
    waiting: int = 512
    """Signals that wait for one participant."""
    waiting_bytes: int = 1_048_576
    senders: int = 1024
    """Senders that are remembered before those who sent nothing of late are forgotten."""


class Refusal(Enum):
    """Why a signal is not taken."""

    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    FULL = "full"


class Letter(Struct, frozen=True):
    """A signal on its way. `number` is its own, rising."""

    number: int
    channel: str
    sender: str
    to: str
    signal: Raw
    size: int


class _Mailbox:
    """What is on its way to one participant."""

    __slots__ = ("flying", "flying_bytes", "waiting", "waiting_bytes")

    def __init__(self) -> None:
        self.waiting: deque[Letter] = deque()
        self.waiting_bytes = 0
        self.flying: dict[int, Letter] = {}
        self.flying_bytes = 0


class Router:
    """Signals of all rooms of a node. `counts` says what became of them: `sent` (taken), `answered`, and what was
    refused or dropped, by reason."""

    def __init__(self, limits: RoomLimits | None = None) -> None:
        self.limits = limits or RoomLimits()
        self.counts: Counter[str] = Counter()
        self._numbers = 0
        self._mailboxes: dict[str, _Mailbox] = {}
        self._senders: dict[str, tuple[float, float]] = {}  # what each may send at once, and as of when
        self._out: list[Letter] = []

    def take(self) -> list[Letter]:
        """Calls to make now, in this order."""
        out, self._out = self._out, []
        return out

    @property
    def waiting(self) -> int:
        """Signals on their way, whether their call was made or not."""
        return sum(len(box.waiting) + len(box.flying) for box in self._mailboxes.values())

    @property
    def senders(self) -> int:
        """How many are remembered."""
        return len(self._senders)

    def send(self, channel: str, sender: str, to: str, signal: Raw, now: float) -> Refusal | None:
        """A participant says something to another one of the same room. None: it is on its way."""
        limits, size = self.limits, len(bytes(signal))
        box = self._mailboxes.get(to)
        if size > limits.signal_bytes:
            return self._refuse(Refusal.TOO_LARGE)
        if not self._may_send(sender, now):
            return self._refuse(Refusal.TOO_MANY)
        if box is None:
            box = self._mailboxes[to] = _Mailbox()
        elif len(box.waiting) >= limits.waiting or box.waiting_bytes + size > limits.waiting_bytes:
            return self._refuse(Refusal.FULL)
        self._numbers += 1
        box.waiting.append(Letter(self._numbers, channel, sender, to, signal, size))
        box.waiting_bytes += size
        self.counts["sent"] += 1
        self._let_fly(to, box)
        return None

    def finished(self, letter: Letter, outcome: str) -> None:
        """The call was answered, or nobody waits for it any more; `outcome` is what is counted."""
        box = self._mailboxes.get(letter.to)
        if box is not None and box.flying.pop(letter.number, None) is not None:
            box.flying_bytes -= letter.size
            self.counts[outcome] += 1
            self._let_fly(letter.to, box)

    def left(self, channel: str, participant: str) -> list[Letter]:
        """A participant is in the room no more: what was on its way is dropped. The calls that were made and are to be
        given up."""
        box = self._mailboxes.get(participant)
        if box is None:
            return []
        kept = deque(letter for letter in box.waiting if letter.channel != channel)
        self.counts["left"] += len(box.waiting) - len(kept)
        box.waiting, box.waiting_bytes = kept, sum(letter.size for letter in kept)
        flying = [letter for letter in box.flying.values() if letter.channel == channel]
        for letter in flying:
            del box.flying[letter.number]
            box.flying_bytes -= letter.size
        self.counts["left"] += len(flying)
        self._let_fly(participant, box)
        return flying

    def _let_fly(self, to: str, box: _Mailbox) -> None:
        limits = self.limits
        while box.waiting and len(box.flying) < limits.in_flight:
            letter = box.waiting[0]
            if box.flying and box.flying_bytes + letter.size > limits.in_flight_bytes:
                break
            box.waiting.popleft()
            box.waiting_bytes -= letter.size
            box.flying[letter.number] = letter
            box.flying_bytes += letter.size
            self._out.append(letter)
        if not box.waiting and not box.flying:
            self._mailboxes.pop(to, None)

    def _may_send(self, sender: str, now: float) -> bool:
        limits = self.limits
        left, since = self._senders.get(sender, (float(limits.burst), now))
        left = min(float(limits.burst), left + (now - since) * limits.rate)
        may = left >= 1
        self._senders[sender] = (left - 1 if may else left, now)
        if len(self._senders) > limits.senders:
            self._forget_senders(now)
        return may

    def _forget_senders(self, now: float) -> None:
        """Those who may send everything at once again; where that is not enough, the one who has been silent for
        longest."""
        limits = self.limits
        self._senders = {
            sender: (left, since)
            for sender, (left, since) in self._senders.items()
            if left + (now - since) * limits.rate < limits.burst
        }
        while len(self._senders) > limits.senders:
            del self._senders[min(self._senders, key=lambda sender: self._senders[sender][1])]

    def _refuse(self, refusal: Refusal) -> Refusal:
        self.counts[refusal.value] += 1
        return refusal
