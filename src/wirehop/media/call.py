"""A call: a room that a client has joined, with a peer connection to each other participant.

Being in a room is being subscribed to its channel; presence says who else is. Who comes offers to those who are there;
those who see somebody come wait a moment for that. A session that begins anew is another participant: everything is
joined again.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from wirehop.client.client import Client
from wirehop.client.errors import ClientError
from wirehop.client.outputs import PresenceChanged, Subscribed
from wirehop.client.publication import Publication
from wirehop.core import codes
from wirehop.core.messages import ClientInfo
from wirehop.media.errors import MediaError, NotInRoom, Signaling, check_installed
from wirehop.media.events import Event, Failed, Joined, Left
from wirehop.media.feed import Feed
from wirehop.media.ice import IceAnswer, IceServers, Policy
from wirehop.media.participant import Participant, Setting
from wirehop.media.recording import Recording
from wirehop.media.sources import Source

log = logging.getLogger("wirehop.media")
CALL_SECONDS = 2.5
"""Who sees somebody come waits so long for the offer."""
MOST_PARTICIPANTS = 32
"""Each is a connection of its own; the others are in the room, and not connected."""
WAITING_SIGNALS = 4096
"""Signals that the server has not taken yet; more are dropped, and counted."""
GOODBYE_SECONDS = 2.0
_NO_SUCH_PARTICIPANT = codes.UNKNOWN_CHANNEL.number
_NO_ROOM = (codes.PERMISSION_DENIED.number, codes.METHOD_NOT_FOUND.number, codes.NOT_AVAILABLE.number)
_SOURCES = {"audio": "microphone", "video": "camera"}
_calls: "WeakKeyDictionary[Client, dict[str, Call]]" = WeakKeyDictionary()


def join(
    client: Client,
    room: str,
    *,
    publish: Source | None = None,
    record: str | Path | None = None,
    name: str = "",
    info: object = None,
    policy: Policy = "all",
    on_event: Callable[[Event], None] | None = None,
    on_publication: Callable[[Publication], None] | None = None,
) -> "Call":
    """A call, to be entered: `async with join(client, "room:demo", publish=TestPicture()) as call`.

    The client must be connected. `publish` is sent to everybody, `record` a directory in which each participant gets a
    file. `name` and `info` (JSON) go to the others. With the policy `relay` only TURN is used, which hides addresses.
    `on_event` and `on_publication` (what is published to the room's channel) are plain functions that must not block.
    """
    return Call(
        client,
        room,
        publish=publish,
        record=record,
        name=name,
        info=info,
        policy=policy,
        on_event=on_event,
        on_publication=on_publication,
    )


class Call:
    """`participants` are those who are in the room now, by id. `dropped` counts signals that were for nobody here, or
    that the server did not take in time."""

    def __init__(
        self,
        client: Client,
        room: str,
        *,
        publish: Source | None,
        record: str | Path | None,
        name: str,
        info: object,
        policy: Policy,
        on_event: Callable[[Event], None] | None,
        on_publication: Callable[[Publication], None] | None,
    ) -> None:
        check_installed()
        self.room = room
        self.me = ""
        self.participants: dict[str, Participant] = {}
        self.feeds: list[Feed] = []
        self.dropped = 0
        self._client = client
        self._source = publish
        self._record = None if record is None else Path(record)
        self._name, self._info = name, info
        self._policy: Policy = policy
        self._on_event = on_event
        self._on_publication = on_publication
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._said = 0  # signals under way
        self._joined: asyncio.Future[None] | None = None
        self._is_over = False
        self._setting: Setting | None = None

    # ---- life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "Call":
        """Join. Raises `NotInRoom`, `SourceFailed`, and what the client raises where the server refuses."""
        loop = self._loop = asyncio.get_running_loop()
        self._joined = loop.create_future()
        self._listen()
        try:
            if self._source is not None:
                self.feeds = [Feed(track) for track in await loop.run_in_executor(None, self._source.open)]
            self._subscription = self._client.subscribe(
                self.room,
                join_leave=True,
                on_subscribed=self._subscribed,
                on_presence=self._changed,
                on_publication=self._on_publication or (lambda _: None),
            )
            await self._subscription.__aenter__()
            await self._joined
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave: others are told, connections closed, files finished, devices free."""
        if self._is_over:
            return
        self._is_over = True
        for timer in self._timers:
            timer.cancel()
        await asyncio.gather(*(self._gone(identity) for identity in list(self.participants)))
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GOODBYE_SECONDS)
            for task in self._tasks:
                task.cancel()
        for feed in self.feeds:
            await feed.close()
        calls = _calls.get(self._client, {})
        if calls.get(self.room) is self:
            del calls[self.room]
        if self._setting is not None:
            await self._subscription.__aexit__(None, None, None)

    async def published(self) -> None:
        """Return when the source has come to its end."""
        for feed in self.feeds:
            await feed.ended.wait()

    @property
    def recordings(self) -> list[Recording]:
        """Of those who are in the room now."""
        return [each for one in self.participants.values() for each in one.recordings.values()]

    # ---- who is here -----------------------------------------------------------------------------------------------

    def _subscribed(self, _: Subscribed) -> None:
        if not self._is_over:
            self._spawn(self._enter())

    async def _enter(self) -> None:
        """We are in the room. With the session that we were in it before nothing changes."""
        if not self._client.id:
            with contextlib.suppress(ClientError):
                await self._client.presence(self.room)  # whoever has an answer is connected
        me = self._client.id
        if me in ("", self.me) or self._is_over:
            return
        self.me = me
        await asyncio.gather(*(self._gone(identity) for identity in list(self.participants)))
        info: dict[str, Any] = {"sources": {_SOURCES[feed.kind]: "on" for feed in self.feeds}}
        if self._name:
            info["name"] = self._name
        if self._info is not None:
            info["data"] = self._info
        ice = IceServers(self._ask_ice, self._loop.time, self._policy)
        recording = None if self._record is None else self._recording
        self._setting = Setting(me, self.feeds, ice, info, self._say, self._tell, recording)
        try:
            present = await self._client.presence(self.room)
            await ice.fresh()
        except ClientError as error:
            self._fail(NotInRoom(f"{self.room}: {error.reason}", error.code))
            return
        except MediaError as error:
            if error.code in _NO_ROOM:
                self._fail(NotInRoom(f"{self.room}: {error.reason}", error.code))
                return
            self._tell(Failed(None, error))  # without servers those nearby can still be reached
        if self.me != me or self._is_over:
            return
        for each in present.values():
            participant = self._met(each)
            if participant is not None:
                participant.call()
        if self._joined is not None and not self._joined.done():
            self._joined.set_result(None)

    def _changed(self, change: PresenceChanged) -> None:
        if change.join is not None:
            self._met(change.join.info)
        if change.leave is not None:
            self._spawn(self._gone(change.leave.info.client))

    def _met(self, info: ClientInfo) -> Participant | None:
        participant = self._participant(info.client)
        if participant is not None:
            participant.met(info)
        return participant

    def _participant(self, identity: str) -> Participant | None:
        """Who has this id; somebody unknown has just come."""
        known = self.participants.get(identity)
        setting = self._setting
        if known is not None or setting is None or self._is_over or identity in ("", self.me):
            return known
        if len(self.participants) >= MOST_PARTICIPANTS:
            text = f"{identity} is not connected: {MOST_PARTICIPANTS} others are"
            self._tell(Failed(None, MediaError(text, codes.LIMIT_EXCEEDED.number)))
            return None
        participant = self.participants[identity] = Participant(identity, setting)
        participant.introduce()
        self._later(CALL_SECONDS, participant)
        self._tell(Joined(participant))
        return participant

    async def _gone(self, identity: str) -> None:
        participant = self.participants.pop(identity, None)
        if participant is not None:
            await participant.close()
            self._tell(Left(participant))

    # ---- signals ---------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        calls = _calls.get(self._client)
        if calls is None:
            calls = _calls[self._client] = {}

            @self._client.on_call("rtc.signal")
            async def on_signal(data: dict[str, Any]) -> None:
                call = calls.get(str(data.get("channel")))
                if call is not None:
                    call.heard(str(data.get("from")), data.get("signal"))

        if self.room in calls:
            raise NotInRoom(f"{self.room} is joined already by this client", codes.ALREADY_SUBSCRIBED.number)
        calls[self.room] = self

    def heard(self, sender: str, signal: object) -> None:
        """A signal has come."""
        if not isinstance(signal, dict):
            self.dropped += 1
            return
        participant = self.participants.get(sender) if signal.get("bye") else self._participant(sender)
        if participant is None:
            self.dropped += 1
        else:
            participant.heard(signal)

    def _say(self, participant: Participant, signal: object) -> None:
        """In the order in which it is called: tasks begin so, and the client sends so."""
        if self._said >= WAITING_SIGNALS:
            self.dropped += 1
            return
        self._said += 1
        self._spawn(self._send(participant, signal))

    async def _send(self, participant: Participant, signal: object) -> None:
        try:
            await self._client.rpc("rtc.signal", {"channel": self.room, "to": participant.id, "signal": signal})
        except ClientError as error:
            if self.participants.get(participant.id) is not participant or error.code == _NO_SUCH_PARTICIPANT:
                return  # it is gone, or presence will say so
            participant.unheard()
            self._tell(Failed(participant, Signaling(f"{participant!r} was not told: {error.reason}", error.code)))
        finally:
            self._said -= 1

    async def _ask_ice(self) -> IceAnswer:
        try:
            return msgspec.convert(await self._client.rpc("rtc.ice", {"channel": self.room}), IceAnswer)
        except ClientError as error:
            raise Signaling(f"the server gives no ICE servers: {error.reason}", error.code) from error
        except msgspec.ValidationError as error:
            raise Signaling(f"the server's ICE servers are none: {error}") from error

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _recording(self, participant: Participant, which: str) -> Recording:
        assert self._record is not None
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", participant.name or participant.id)[:64]
        return Recording(self._record / f"{stem}{which}.webm")

    def _fail(self, error: MediaError) -> None:
        if self._joined is not None and not self._joined.done():
            self._joined.set_exception(error)
        else:
            self._tell(Failed(None, error))

    def _tell(self, event: Event) -> None:
        log.debug("%s", event)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:
                log.exception("a callback of the application failed")

    def _later(self, seconds: float, participant: Participant) -> None:
        """Call it then, if it is still there."""

        def run() -> None:
            self._timers.discard(timer)
            if self.participants.get(participant.id) is participant:
                participant.call()

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
