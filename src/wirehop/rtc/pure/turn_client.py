"""The client's side of STUN and TURN (RFC 8489, RFC 8656) as a machine: questions and time in, messages out.

    number = client.ask(Method.ALLOCATE, [...], now)        client.received(message, now)
    client.send(peer, data)                                 client.tick(now), client.deadline()
    client.take()                                           what is to be done, and what was found out

What becomes of a question; each ends in exactly one `Answered`, `Refused` or `Unanswered`:

    asked      success                              Answered
    asked      401 with realm and nonce, unsigned   asked, once more and signed, if there is a password
    asked      438 with a nonce, signed             asked, signed with that, three times at most
    asked      any other error                      Refused
    asked      nothing until its end                Unanswered
    over       anything                             over: counted as `stale`

Over UDP a question is repeated (RFC 8489 section 6.2.1); over a connection it is not. It knows one server and one
credential. It does not know sockets, nor what an answer is worth.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from wirehop.core.errors import LocalProtocolError
from wirehop.rtc.pure import stun
from wirehop.rtc.pure.stun import TRANSACTION_BYTES, Address, Attribute, BadMessage, Kind, Message, Method

REPEAT_SECONDS: Final = 0.5
"""After that long a question is sent again over UDP, then after twice that, and so on."""
PENDING: Final = 64
"""Questions at a time; another is refused with `LocalProtocolError`."""
_STALE_NONCES: Final = 3

Value = bytes | Address
"""Of an attribute: bytes, or an address that is written as XOR-… attributes are."""


class Transmit(Struct, frozen=True):
    """A message for the server."""

    data: bytes


class Answered(Struct, frozen=True):
    """Question `number` succeeded. `sends` is how often it was sent."""

    number: int
    message: Message
    sends: int = 1


class Refused(Struct, frozen=True):
    """The server answers with an error. `is_signed`: the question carried a signature, so it is no greeting."""

    number: int
    code: int
    reason: str
    is_signed: bool


class Unanswered(Struct, frozen=True):
    """Nothing came."""

    number: int


class Arrived(Struct, frozen=True):
    """Data that a peer has sent to the relayed address."""

    peer: Address
    data: bytes


Output = Transmit | Answered | Refused | Unanswered | Arrived


class _Question:
    __slots__ = ("attributes", "data", "ends", "is_signed", "method", "number", "repeats", "sends", "stale", "wait")

    def __init__(self, number: int, method: Method, attributes: Sequence[tuple[int, Value]], ends: float) -> None:
        self.number = number
        self.method = method
        self.attributes = attributes
        self.ends = ends
        self.is_signed = False
        self.stale = 0
        self.data = b""
        self.sends = 0
        self.wait = REPEAT_SECONDS
        self.repeats = ends


class TurnClient:
    """The machine. `transactions` is its randomness: 12 bytes each time, never the same. `timeout`: seconds until a
    question counts as not answered. `is_reliable`: the wire is a connection, that loses nothing."""

    def __init__(
        self,
        transactions: Callable[[], bytes],
        *,
        username: str = "",
        password: str = "",
        is_reliable: bool = False,
        timeout: float = 5.0,
    ) -> None:
        self.counters: Counter[str] = Counter()
        """Of what was dropped: `malformed`, `unexpected`, `stale`, `forged`."""
        self._transactions = transactions
        self._username = username
        self._password = password
        self._is_reliable = is_reliable
        self._timeout = timeout
        self._realm = ""
        self._nonce = b""
        self._key: bytes | None = None
        self._pending: dict[bytes, _Question] = {}
        self._numbers = 0
        self._out: list[Output] = []

    # ---- from inside -----------------------------------------------------------------------------------------------

    def ask(self, method: Method, attributes: Sequence[tuple[int, Value]] = (), now: float = 0.0) -> int:
        """Ask; the number is that of the answer. Binding is never signed, all else is as soon as it can be."""
        if len(self._pending) >= PENDING:
            raise LocalProtocolError("TurnClient", f"{PENDING} questions", "ask")
        self._numbers += 1
        self._send(_Question(self._numbers, method, attributes, now + self._timeout), now)
        return self._numbers

    def send(self, peer: Address, data: bytes) -> None:
        """Data to a peer, through the relay; nobody says whether it came."""
        attributes: tuple[tuple[int, Value], ...] = ((Attribute.XOR_PEER_ADDRESS, peer), (Attribute.DATA, data))
        transaction = self._transaction()
        message = stun.encode(Method.SEND, Kind.INDICATION, transaction, _written(attributes, transaction))
        self._out.append(Transmit(message))

    # ---- from outside ----------------------------------------------------------------------------------------------

    def received(self, data: bytes, now: float) -> None:
        """One message of the server: a datagram, or what `framing` has cut out of a connection."""
        try:
            message = stun.decode(data)
        except BadMessage:
            self.counters["malformed"] += 1
            return
        if message.kind == Kind.INDICATION:
            self._indication(message)
            return
        question = self._pending.get(message.transaction)
        if message.kind == Kind.REQUEST:
            self.counters["unexpected"] += 1
        elif question is None or question.method != message.method:
            self.counters["stale"] += 1
        elif not self._is_believed(question, message):
            self.counters["forged"] += 1
        else:
            del self._pending[message.transaction]
            self._answer(question, message, now)

    def tick(self, now: float) -> None:
        """Repeat what is due, and give up what is over."""
        for transaction, question in list(self._pending.items()):
            if question.ends <= now:
                del self._pending[transaction]
                self._out.append(Unanswered(question.number))
            elif question.repeats <= now:
                self._transmit(question, now)

    def deadline(self) -> float | None:
        """When `tick` has something to do; None: nothing is being asked."""
        return min((min(each.ends, each.repeats) for each in self._pending.values()), default=None)

    def take(self) -> list[Output]:
        """What is to be done, in this order."""
        out, self._out = self._out, []
        return out

    # ---- questions -------------------------------------------------------------------------------------------------

    def _send(self, question: _Question, now: float) -> None:
        """For the first time, or anew with a signature: that is another transaction (RFC 8489 section 9.2.5)."""
        transaction = self._transaction()
        attributes = _written(question.attributes, transaction)
        key = None if question.method == Method.BINDING else self._key
        if key is not None:
            attributes += [
                (Attribute.USERNAME, self._username.encode()),
                (Attribute.REALM, self._realm.encode()),
                (Attribute.NONCE, self._nonce),
            ]
        question.is_signed = key is not None
        question.data = stun.encode(
            question.method, Kind.REQUEST, transaction, attributes, key=key, fingerprint=key is None
        )
        question.wait = REPEAT_SECONDS
        self._pending[transaction] = question
        self._transmit(question, now)

    def _transmit(self, question: _Question, now: float) -> None:
        question.sends += 1
        question.repeats = question.ends if self._is_reliable else now + question.wait
        question.wait *= 2
        self._out.append(Transmit(question.data))

    def _is_believed(self, question: _Question, message: Message) -> bool:
        """A success of a signed question must be signed. An error need not be: who could make one up has seen the
        transaction, and then can as well keep the answer from coming."""
        if not question.is_signed or self._key is None:
            return True
        if message.is_signed:
            return message.is_signed_with(self._key)
        return message.kind == Kind.ERROR

    def _answer(self, question: _Question, message: Message, now: float) -> None:
        if message.kind == Kind.SUCCESS:
            if message.unknown():  # RFC 8489 section 6.3.3: it cannot be understood
                self._out.append(Refused(question.number, 420, "the answer is not understood", question.is_signed))
            else:
                self._out.append(Answered(question.number, message, question.sends))
            return
        code, reason = message.error() or (0, "an error without a code")
        nonce = message.value(Attribute.NONCE)
        realm = message.text(Attribute.REALM)
        if code == 401 and not question.is_signed and self._password and nonce is not None and realm is not None:
            self._greeted(realm, nonce)
        elif code == 438 and question.is_signed and nonce is not None and question.stale < _STALE_NONCES:
            question.stale += 1
            self._greeted(self._realm if realm is None else realm, nonce)
        else:
            self._out.append(Refused(question.number, code, reason, question.is_signed))
            return
        self._send(question, now)

    def _greeted(self, realm: str, nonce: bytes) -> None:
        self._realm, self._nonce = realm, nonce
        self._key = stun.long_term_key(self._username, realm, self._password)

    def _indication(self, message: Message) -> None:
        peer, data = message.address(Attribute.XOR_PEER_ADDRESS), message.value(Attribute.DATA)
        if message.method == Method.DATA and peer is not None and data is not None:
            self._out.append(Arrived(peer, data))
        else:
            self.counters["unexpected"] += 1

    def _transaction(self) -> bytes:
        transaction = self._transactions()
        assert len(transaction) == TRANSACTION_BYTES
        return transaction


def _written(attributes: Sequence[tuple[int, Value]], transaction: bytes) -> list[tuple[int, bytes]]:
    return [
        (kind, value if isinstance(value, bytes) else stun.write_address(value, transaction))
        for kind, value in attributes
    ]
