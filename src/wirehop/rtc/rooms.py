"""Rooms of a node: the rpc methods `rtc.ice` and `rtc.signal`, and the calls `rtc.signal` to participants.

`Participants` is what it needs of a node. Who is in a room is said by the presence of its channel; `pure.room` says
what may be sent and when.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

import msgspec
from msgspec import Raw, Struct

from wirehop.abc import Clock, Peer
from wirehop.codecs.payload import json_payload
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.rtc.pure.credentials import credential
from wirehop.rtc.pure.ice import IceServer, Relay, ice_servers
from wirehop.rtc.pure.room import Letter, Refusal, RoomLimits, Router
from wirehop.settings.check_rtc import COTURN, coturn_address
from wirehop.settings.tree import Rtc

log = logging.getLogger("wirehop.rtc")
ICE = "rtc.ice"
SIGNAL = "rtc.signal"
CALL_SECONDS = 90.0
"""How long a participant may take to answer the call that brings it a signal; longer than a session waits for a
wire."""
_WORDS = {
    Refusal.TOO_LARGE: "a signal has {0.signal_bytes} bytes at most",
    Refusal.TOO_MANY: "one participant may send {0.rate:g} signals a second",
    Refusal.FULL: "too much waits for that participant",
}


class Caller(Protocol):
    """Who calls a method: a session."""

    @property
    def id(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def peer(self) -> Peer: ...


class Participants(Protocol):
    """The sessions of a node, as rooms see them."""

    def is_room(self, channel: str) -> bool:
        """Whether the channel's namespace lets its members call each other."""
        ...

    def is_in(self, client: str, channel: str) -> bool:
        """Whether the session is in the channel's presence, with or without a wire at the moment."""
        ...

    def takes_calls(self, client: str) -> bool:
        """Whether the server can call the session."""
        ...

    async def call(self, client: str, method: str, data: Raw, timeout: float) -> Raw:
        """Call it; its answer. Raises `Refused` and `TimeoutError`."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it; tasks begin in the order in which they were made."""
        ...


class IceRequest(Struct):
    """What `rtc.ice` is asked with."""

    channel: str


class IceAnswer(Struct):
    """`ttl`: the seconds for which new connections can be made with these; `policy` is `all` or `relay`."""

    ice_servers: list[IceServer]
    ttl: int
    policy: str


class SignalRequest(Struct):
    """What `rtc.signal` is asked with: `signal` goes to the participant `to` as it stands."""

    channel: str
    to: str
    signal: Raw


class Delivered(Struct, rename={"sender": "from"}):
    """What a participant is called with."""

    channel: str
    sender: str
    signal: Raw


class Rooms:
    """`embedded` is the TURN server of this process, and `secret` that of its credentials, once it runs."""

    def __init__(self, participants: Participants, clock: Clock, rtc: Rtc, *, limits: RoomLimits | None = None) -> None:
        self.use(rtc)
        self.router = Router(limits)
        self.embedded: Relay | None = None
        self._participants = participants
        self._clock = clock
        self._calls: dict[int, asyncio.Task[None]] = {}

    def use(self, rtc: Rtc) -> None:
        """Take other settings."""
        self.rtc = rtc
        self.secret = rtc.secret

    # ---- methods -----------------------------------------------------------------------------------------------------

    async def ice(self, caller: Caller, request: IceRequest) -> IceAnswer:
        """The STUN and TURN servers for whoever is in the room, with fresh credentials."""
        self._check(caller, request.channel)
        age = self.rtc.credential_age
        relay = self._relay(caller.peer)
        found: list[IceServer] = []
        if relay is not None:
            found = ice_servers(
                relay, credential(self.secret, caller.user or caller.id, now=self._clock.wall(), age=age)
            )
        self.router.counts["ice"] += 1
        return IceAnswer(found, int(age), self.rtc.ice_policy)

    async def signal(self, caller: Caller, request: SignalRequest) -> dict[str, str]:
        """Say something to another participant of the room. Answered as soon as it is on its way."""
        channel, to = request.channel, request.to
        self._check(caller, channel)
        if to == caller.id or not self._participants.is_in(to, channel):
            self.router.counts["unknown"] += 1
            raise Refused(codes.UNKNOWN_CHANNEL, "there is no such participant in the room")
        if not self._participants.takes_calls(to):
            self.router.counts["unable"] += 1
            raise Refused(codes.NOT_AVAILABLE, "that participant takes no calls: it speaks the protocol without wh")
        signal = Raw(json_payload(bytes(request.signal)))  # a line break in it would forge a reply
        if not bytes(signal).startswith(b"{"):
            self.router.counts["bad"] += 1
            raise Refused(codes.BAD_REQUEST, "a signal is a JSON object")
        refusal = self.router.send(channel, caller.id, to, signal, self._clock.now())
        if refusal is not None:
            raise Refused(codes.LIMIT_EXCEEDED, _WORDS[refusal].format(self.router.limits))
        self._drain()
        return {}

    def left(self, channel: str, client: str) -> None:
        """A session is in the channel no more."""
        for letter in self.router.left(channel, client):
            task = self._calls.pop(letter.number, None)
            if task is not None:
                task.cancel()
        self._drain()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _check(self, caller: Caller, channel: str) -> None:
        if not self._participants.is_room(channel):
            self.router.counts["no_room"] += 1
            raise Refused(codes.NOT_AVAILABLE, "rtc or presence is off in this namespace")
        if not self._participants.is_in(caller.id, channel):
            self.router.counts["outside"] += 1
            raise Refused(codes.PERMISSION_DENIED, "you are not in the room")

    def _relay(self, peer: Peer) -> Relay | None:
        if self.rtc.turn.startswith(COTURN):
            found = coturn_address(self.rtc.turn)
            return None if found is None else Relay((found[0],), found[1], found[1], found[1])
        embedded = self.embedded
        if embedded is None:
            return None
        host = peer.host if peer.host not in ("", "localhost") else ""
        hosts = embedded.hosts if self.rtc.address or not host else (host,)
        return msgspec.structs.replace(embedded, hosts=hosts, secure_host=peer.host)

    def _drain(self) -> None:
        for letter in self.router.take():
            self._calls[letter.number] = self._participants.spawn(self._deliver(letter))

    async def _deliver(self, letter: Letter) -> None:
        data = Raw(msgspec.json.encode(Delivered(letter.channel, letter.sender, letter.signal)))
        outcome = "failed"
        try:
            await self._participants.call(letter.to, SIGNAL, data, CALL_SECONDS)
            outcome = "answered"
        except TimeoutError:
            outcome = "unanswered"
        except Refused as error:
            outcome = "gone" if error.code is codes.OUTCOME_UNKNOWN else "refused"
            log.debug("a signal from %s to %s was not taken: %s", letter.sender, letter.to, error)
        finally:
            self._calls.pop(letter.number, None)
            self.router.finished(letter, outcome)
            self._drain()
