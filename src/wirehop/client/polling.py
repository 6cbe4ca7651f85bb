"""The client's half of the poll wire (docs/poll.md): what each poll carries, and what of each answer is new.

Theory. Polls and their answers get lost, come twice and overtake each other. So every poll has a higher number than
the one before, carries all commands that are not known to have been accepted, and acknowledges the last batch
received; the server runs each command number once and gives a batch again until it is acknowledged. A batch that was
received before is dropped here. A command is known to be accepted when a reply to it or to a later one has come, or
when a ping's reply names a higher `next`: where only sends are open, which have no reply, each poll carries such a
ping.

    INVITED  (first poll)  carries the nonce and connect alone, again and again, until an answer names the session
    KNOWN    (session)     connect may still be open: commands wait, because the server holds little before its result
    ADMITTED               commands go with every poll until accepted

It does no I/O and knows no time: `poll()` makes the body of one more request, `answered()` reads one answer.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from wirehop.client.messages import ClientReply
from wirehop.codecs.json_lines import encode_command
from wirehop.core.errors import BadMessage
from wirehop.core.messages import CONNECT_ID, FIRST_UNNUMBERED_ID, Command, PingRequest

MAX_COMMANDS: Final = 1_024
MAX_BYTES: Final = 1_048_576
POLL_BYTES: Final = 262_144
"""Commands in one poll at most; the rest goes with the next ones."""

_PING: Final = Raw(encode_command(Command(FIRST_UNNUMBERED_ID, ping=PingRequest())))


class _Poll(Struct, omit_defaults=True):
    poll: int
    ack: int
    wait: float
    nonce: str = ""
    session: str = ""
    commands: list[Raw] = []


class _Answer(Struct):
    session: str
    poll: int
    batch: int = 0
    replies: list[ClientReply] = []


class _Open(Struct, frozen=True):
    """A command that is not known to have been accepted."""

    number: int
    line: bytes
    has_reply: bool


_ANSWER = msgspec.json.Decoder(_Answer)


class Polling:
    """One poll session. At most 1,024 commands and 1 MiB of them wait to be accepted; one more is an
    `OverflowError`."""

    def __init__(self, *, nonce: str, wait: float) -> None:
        self.wait = wait
        self.has_news = False  # commands that no poll has carried yet may go now
        self.is_quiet = False  # the newest poll came back with nothing
        self._nonce = nonce
        self._session = ""
        self._is_admitted = False
        self._poll = 0
        self._ack = 0
        self._connect = b""
        self._open: list[_Open] = []
        self._size = 0

    @property
    def is_behind(self) -> bool:
        """Whether commands that may go are not known to have been accepted."""
        return bool(self._open) and self._is_admitted

    def send(self, commands: Sequence[Command]) -> None:
        """These are to be carried out, in this order: each once."""
        for command in commands:
            line = encode_command(command)
            if command.connect is not None:
                self._connect = line
                self.has_news = True
            elif command.id:  # `{}` answers a ping, which polls have none of
                if len(self._open) >= MAX_COMMANDS or self._size + len(line) > MAX_BYTES:
                    raise OverflowError(f"more than {MAX_COMMANDS} commands or {MAX_BYTES} bytes wait to be accepted")
                self._open.append(_Open(command.id, line, command.send is None))
                self._size += len(line)
        self.has_news = self.has_news or self.is_behind

    def poll(self) -> bytes:
        """The body of one more poll."""
        self._poll += 1
        self.has_news = False
        if not self._session:
            first = _Poll(self._poll, 0, self.wait, nonce=self._nonce, commands=[Raw(self._connect)])
            return msgspec.json.encode(first)
        commands = self._commands() if self._is_admitted else []
        return msgspec.json.encode(_Poll(self._poll, self._ack, self.wait, session=self._session, commands=commands))

    def answered(self, body: bytes) -> list[ClientReply]:
        """What is new in an answer, in order. Raises `BadMessage` for what is no answer to this session's polls."""
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadMessage(f"this is no answer to a poll: {error}") from None
        if self._session and answer.session != self._session:
            raise BadMessage("the answer belongs to another session")
        self._session = answer.session
        self.is_quiet = answer.poll == self._poll and not answer.replies
        if not answer.replies or answer.batch <= self._ack:
            return []
        if answer.batch != self._ack + 1:
            raise BadMessage(f"batch {answer.batch} came after batch {self._ack}")
        self._ack = answer.batch
        for reply in answer.replies:
            self._accepted(reply)
        return answer.replies

    def _commands(self) -> list[Raw]:
        chosen: list[Raw] = []
        size = 0
        has_reply = False
        for command in self._open:
            if size + len(command.line) > POLL_BYTES and chosen:
                break
            chosen.append(Raw(command.line))
            size += len(command.line)
            has_reply = has_reply or command.has_reply
        return chosen if has_reply or not chosen else [*chosen, _PING]

    def _accepted(self, reply: ClientReply) -> None:
        """Forget the commands that this reply shows to have been accepted."""
        if reply.id == CONNECT_ID:
            self._is_admitted = reply.error is None
            self.has_news = self.is_behind
        below = reply.id + 1 if 0 < reply.id < FIRST_UNNUMBERED_ID else 0
        if reply.wh is not None:
            below = max(below, reply.wh.next)
        done = [each for each in self._open if each.number < below or each.number == reply.id]
        if done:
            self._size -= sum(len(each.line) for each in done)
            self._open = [each for each in self._open if each.number >= below and each.number != reply.id]
