"""Asking the application over HTTP: may they connect, subscribe, publish, stay?

One POST of JSON to the URL of the settings, in the shape of Centrifugo's proxies, signed:

    {"action": "subscribe", "client": …, "user": …, "transport": …, "address": …, "channel": …, "data": …}
    Wirehop-Timestamp: 1700000000
    Wirehop-Signature: v1=HMAC-SHA256(secret, timestamp "." body) in hex

    {"result": {…}, "cache": 30}
    {"error": {"code": 103, "message": "…"}}
    {"disconnect": {"code": 4501, "reason": "…"}}

Anything else, no answer in time, or too many questions waiting is 100 (temporary): never a yes. With signed answers the
application signs too (`v1=HMAC-SHA256(secret, our signature "." body)`), so that nobody on the way can say yes.
Answers are kept for `cache` seconds, for the same action, user, channel, token and data.
"""

import asyncio
import hmac
import logging
from collections import OrderedDict
from hashlib import blake2b
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from wirehop.abc import Clock
from wirehop.auth.http import HttpAnswer, HttpClient, HttpFailed
from wirehop.codecs.payload import json_payload
from wirehop.core import codes
from wirehop.core.codes import Code, Kind, Retry
from wirehop.core.errors import PayloadError, Refused
from wirehop.settings.tree import Auth

log = logging.getLogger("wirehop.auth")

MAX_ANSWER_BYTES: Final = 262_144
MAX_CACHE_SECONDS: Final = 86_400.0
TIMESTAMP, SIGNATURE = "Wirehop-Timestamp", "Wirehop-Signature"

Asked = Literal["connect", "subscribe", "publish", "refresh", "sub_refresh"]


class Question(Struct, frozen=True, omit_defaults=True):
    """What is asked. `client` and `transport` name the session, `address` and `origin` who is behind it.
    `b64data` is the data of wires that carry bytes."""

    action: Asked
    client: str = ""
    user: str = ""
    transport: str = ""
    address: str = ""
    origin: str = ""
    channel: str = ""
    token: str = ""
    name: str = ""
    version: str = ""
    data: Raw | UnsetType = UNSET
    b64data: str = ""

    def key(self) -> bytes:
        """What makes two questions the same."""
        data = b"" if isinstance(self.data, UnsetType) else bytes(self.data)
        parts = (self.action, self.user, self.channel, self.token, data, self.b64data)
        digest = blake2b(digest_size=20)
        for part in parts:
            given = part.encode() if isinstance(part, str) else part
            digest.update(b"%d:%b" % (len(given), given))
        return digest.digest()


class Verdict(Struct, frozen=True):
    """A yes. connect: `user`, `info`, `data`, `channels`; subscribe: `info`, `data`, `allow`, `since`; publish: `data`
    replaces what is published; `expire_at` is Unix time (0: never), `expired` ends what was to be refreshed."""

    user: str = ""
    info: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    channels: tuple[str, ...] = ()
    allow: tuple[Literal["sub", "pub", "hst", "prs"], ...] = ()
    since: float = 0.0
    expire_at: float = 0.0
    expired: bool = False


class _No(Struct):
    code: int
    message: str = ""
    reason: str = ""


class _Answer(Struct):
    result: Verdict | None = None
    error: _No | None = None
    disconnect: _No | None = None
    cache: float = 0.0


_ANSWER = msgspec.json.Decoder(_Answer)


class Asking:
    """Asks one application. Raises `Refused` for no, and for whatever is not a clear yes."""

    def __init__(self, settings: Auth, clock: Clock, *, http: HttpClient | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._secret = settings.ask_secret.encode()
        self._http = http or HttpClient(settings.ask_url, max_bytes=MAX_ANSWER_BYTES, timeout=settings.ask_timeout)
        self._turns = asyncio.Semaphore(settings.ask_concurrency)
        self._waiting = 0
        self._kept: OrderedDict[bytes, tuple[float, _Answer]] = OrderedDict()
        self.asked = 0
        self.failed = 0

    async def ask(self, question: Question) -> Verdict:
        """The application's yes."""
        key = question.key()
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock.now():
            self._kept.move_to_end(key)
            return _verdict(kept[1])
        answer = await self._in_turn(question)
        if answer.cache > 0:
            self._keep(key, answer)
        return _verdict(answer)

    def forget(self) -> None:
        """Keep no answer that was given so far."""
        self._kept.clear()

    def close(self) -> None:
        self._http.close()

    # ---- inside

    async def _in_turn(self, question: Question) -> _Answer:
        if self._turns.locked() and self._waiting >= self._settings.ask_waiting:
            raise self._failure(question, f"{self._waiting} questions wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._settings.ask_timeout):
                await self._turns.acquire()
        except TimeoutError:
            raise self._failure(question, "no turn in time") from None
        finally:
            self._waiting -= 1
        try:
            return await self._asked(question)
        finally:
            self._turns.release()

    async def _asked(self, question: Question) -> _Answer:
        body = msgspec.json.encode(question)
        timestamp = str(int(self._clock.wall()))
        signature = signature_of(self._secret, timestamp, body)
        headers = [("Content-Type", "application/json"), (TIMESTAMP, timestamp), (SIGNATURE, signature)]
        self.asked += 1
        try:
            answer = await self._http.request("POST", headers, body)
            return self._read(answer, signature)
        except HttpFailed as error:
            raise self._failure(question, error.reason) from None

    def _read(self, answer: HttpAnswer, signature: str) -> _Answer:
        if answer.status != 200:
            raise HttpFailed(f"it answered {answer.status}")
        if self._settings.ask_signed:
            expected = signature_of(self._secret, signature, answer.body)
            given = answer.headers.get(SIGNATURE.lower(), "")
            if not hmac.compare_digest(given.encode(), expected.encode()):
                raise HttpFailed("its answer is not signed with the secret")
        try:
            answer.body.decode()
            read = _ANSWER.decode(answer.body)
            read = _checked(read)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, PayloadError) as error:
            raise HttpFailed(f"its answer cannot be read: {error}") from None
        if sum(each is not None for each in (read.result, read.error, read.disconnect)) != 1:
            raise HttpFailed("its answer has none, or more than one, of result, error and disconnect")
        return read

    def _keep(self, key: bytes, answer: _Answer) -> None:
        if self._settings.ask_cache:
            self._kept[key] = (self._clock.now() + min(answer.cache, MAX_CACHE_SECONDS), answer)
            self._kept.move_to_end(key)
            if len(self._kept) > self._settings.ask_cache:
                self._kept.popitem(last=False)

    def _failure(self, question: Question, reason: str) -> Refused:
        self.failed += 1
        log.warning("the application could not be asked about %s: %s", question.action, reason)
        return Refused(codes.INTERNAL, "the application could not be asked")


def signature_of(secret: bytes, first: str, body: bytes) -> str:
    """`v1=` and the HMAC of `first` (the timestamp; for an answer, the question's signature), a dot, and the body."""
    return "v1=" + hmac.new(secret, first.encode() + b"." + body, "sha256").hexdigest()


def _checked(answer: _Answer) -> _Answer:
    """JSON values of the answer are spliced into replies as they stand: no line break survives."""
    result = answer.result
    if result is None:
        return answer
    info = result.info if isinstance(result.info, UnsetType) else Raw(json_payload(bytes(result.info)))
    data = result.data if isinstance(result.data, UnsetType) else Raw(json_payload(bytes(result.data)))
    return msgspec.structs.replace(answer, result=msgspec.structs.replace(result, info=info, data=data))


def _verdict(answer: _Answer) -> Verdict:
    if answer.result is not None:
        return answer.result
    if answer.disconnect is not None:
        raise Refused(_code(answer.disconnect.code, Kind.DISCONNECT), answer.disconnect.reason)
    assert answer.error is not None
    raise Refused(_code(answer.error.code, Kind.ERROR), answer.error.message)


def _code(number: int, kind: Kind) -> Code:
    """The row with the number, or the application's own; what is neither is a plain no."""
    row = codes.find(number)
    if row is not None and row.kind is kind:
        return row
    if kind is Kind.DISCONNECT and 4000 <= number <= 4999:
        retry = Retry.RECONNECT if codes.may_reconnect(number) else Retry.FINAL
        return Code(number, "application", "ended by the application", kind, retry)
    if kind is Kind.ERROR and 400 <= number <= 1999:  # Centrifugo leaves these to applications
        return Code(number, "application", "refused by the application", kind, Retry.FINAL)
    return codes.PERMISSION_DENIED if kind is Kind.ERROR else codes.PERMISSION_DENIED_CLOSE
