"""Commands that run once: their replies are kept until the client says that it has them.

Theory. A client that does not hear of a command sends it again, over whatever wire it has then. What must not run
twice (publish, rpc) holds an entry from its start until its number is acknowledged; the same number again gets the
kept reply, or waits for the running one. Entries are never thrown away to make room: more than may be are refused by
the caller, which closes the session. Only the bytes of a reply may be let go, where they do not fit: then the number
says that the outcome is unknown to whoever asks again, which is true and is not "run it again".
"""

from msgspec import Struct

from wirehop.core import codes
from wirehop.core.effects import Failure
from wirehop.core.messages import Reply
from wirehop.core.replies import refusal

REPLY_BYTES = 64
"""What a kept reply counts for beside its data."""


class Answered(Struct, frozen=True):
    """The reply of a command that has run; `size` is what it counts for, in bytes."""

    reply: Reply
    size: int


class OnceOnly:
    """Entries by command number. `max_bytes` bounds the kept replies."""

    __slots__ = ("_entries", "bytes", "max_bytes")

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0  # of kept replies
        self._entries: dict[int, Answered | None] | None = None  # of each: None while it is running

    def __len__(self) -> int:
        return 0 if self._entries is None else len(self._entries)

    def __contains__(self, number: int) -> bool:
        return self._entries is not None and number in self._entries

    def begin(self, number: int) -> None:
        """The command starts."""
        if self._entries is None:
            self._entries = {}
        self._entries[number] = None

    def answered(self, number: int, reply: Reply, size: int) -> None:
        """It has run. A reply that does not fit is kept as 120."""
        if self._entries is None or number not in self._entries:
            return
        if self.bytes + size > self.max_bytes:
            reply, size = unknown(number), 0
        self._entries[number] = Answered(reply, size)
        self.bytes += size

    def repeated(self, number: int) -> Reply | None:
        """What the number gets that was accepted before: the kept reply; 120 where nothing is known of it any more;
        None where the reply is still to come."""
        if self._entries is None or number not in self._entries:
            return unknown(number)
        entry = self._entries[number]
        return None if entry is None else entry.reply

    def acknowledge(self, acked: tuple[int, ...]) -> None:
        """The client has the replies to all numbers up to the first, and to each of the others. What still runs was
        answered to nobody, so it stays."""
        if not acked or self._entries is None:
            return
        upto, others = acked[0], frozenset(acked[1:])
        for number in [each for each in self._entries if each <= upto or each in others]:
            entry = self._entries[number]
            if entry is not None:
                self.bytes -= entry.size
                del self._entries[number]
        if not self._entries:
            self._entries = None  # an emptied dictionary keeps its memory

    def forget_oldest(self) -> None:
        """Let go of the oldest entry: of a session that nobody can come back to."""
        number = next(iter(self._entries or ()), 0)
        if self._entries is not None and number:
            entry = self._entries.pop(number)
            self.bytes -= 0 if entry is None else entry.size

    def entries(self) -> list[tuple[int, Answered | None]]:
        """All of them, in order; None for those that run."""
        return sorted((self._entries or {}).items())

    def running(self) -> list[int]:
        """The numbers that have started and are not answered."""
        return [number for number, entry in (self._entries or {}).items() if entry is None]


def unknown(number: int) -> Reply:
    """The outcome of the command is not known here."""
    return refusal(number, Failure(codes.OUTCOME_UNKNOWN))
