"""The broker of a single process: logs, idempotency keys and presence in memory.

A restart forgets everything, so every log it makes has a fresh epoch: old positions are answered `recovered: false`,
never with silence. The same holds for a channel whose log was evicted.
"""

from collections import OrderedDict
from collections.abc import Mapping

from msgspec import Struct

from wirehop.abc import Clock, IdempotencyConflict, Ids, PublishOptions, Receiver
from wirehop.core.log import LatestLog, Log
from wirehop.core.messages import ClientInfo, Position, Publication
from wirehop.core.presence import PresenceSet
from wirehop.core.recovery import HistoryPage, reaches


class _Remembered(Struct, frozen=True):
    data: bytes
    position: Position
    until: float


class MemoryBroker:
    """Implements `abc.Broker` and `abc.PresenceStore`.

    At most `max_channels` logs and `max_keys` idempotency keys are kept; beyond that the one used longest ago goes
    (a log: its next publication begins a new epoch; a key: its publish is no longer recognised), counted in `evicted`.
    """

    def __init__(self, clock: Clock, ids: Ids, *, max_channels: int = 100_000, max_keys: int = 100_000) -> None:
        self.max_channels = max_channels
        self.max_keys = max_keys
        self.evicted = 0
        self._clock = clock
        self._ids = ids
        self._receiver: Receiver | None = None
        self._logs: OrderedDict[str, Log | LatestLog] = OrderedDict()
        self._promised: OrderedDict[str, str] = OrderedDict()  # epochs that readers of empty channels were told
        self._keys: OrderedDict[tuple[str, str, str], _Remembered] = OrderedDict()
        self._to_trim: list[str] = []
        self._presence: dict[str, PresenceSet] = {}
        self._revisions: OrderedDict[str, int] = OrderedDict()  # of channels that are empty now: never falls back

    async def open(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def close(self) -> None:
        self._receiver = None

    async def subscribe(self, channel: str) -> None:
        """Nothing to do: every publication of this process reaches the receiver."""

    async def unsubscribe(self, channel: str) -> None:
        """Nothing to do."""

    # ---- publications ------------------------------------------------------------------------------------------------

    async def publish(self, channel: str, publication: Publication, options: PublishOptions) -> Position:
        return self.publish_at_once(channel, publication, options)

    def publish_at_once(self, channel: str, publication: Publication, options: PublishOptions) -> Position:
        """`abc.PublishAtOnce`."""
        now = self._clock.now()
        if not options.idempotency_key:
            return self._append(channel, publication, options, now)
        key = (channel, options.publisher, options.idempotency_key)
        remembered = self._remembered(key, now)
        if remembered is not None:
            if remembered.data != publication.data:
                raise IdempotencyConflict(options.idempotency_key)
            return remembered.position
        position = self._append(channel, publication, options, now)
        self._keys[key] = _Remembered(publication.data, position, now + options.idempotency_seconds)
        if len(self._keys) > self.max_keys:
            self._keys.popitem(last=False)
            self.evicted += 1
        return position

    def _append(self, channel: str, publication: Publication, options: PublishOptions, now: float) -> Position:
        if options.delivery == "signal":
            position = Position("", 0)
        else:
            log = self._log(channel, options)
            publication = log.append(publication, now)
            position = log.position
            self._trim_another(now)
        if self._receiver is not None:
            self._receiver.published(channel, publication, position.epoch)
        return position

    def _log(self, channel: str, options: PublishOptions) -> Log | LatestLog:
        log = self._logs.get(channel)
        is_latest = options.delivery == "latest"
        if log is None or isinstance(log, LatestLog) != is_latest:
            epoch = self._promised.pop(channel, "") or self._ids.new()[:16]
            if is_latest:
                log = LatestLog(epoch, keys=options.key_limit, age=options.history_age)
            else:
                log = Log(epoch, size=options.history_size, age=options.history_age)
            self._keep(channel, log)
        else:
            self._logs.move_to_end(channel)
            if isinstance(log, Log):
                log.size = options.history_size
            log.age = options.history_age
        return log

    def _keep(self, channel: str, log: Log | LatestLog) -> None:
        self._logs[channel] = log
        self._logs.move_to_end(channel)
        if len(self._logs) > self.max_channels:
            self._logs.popitem(last=False)
            self.evicted += 1

    def _trim_another(self, now: float) -> None:
        """Each publish also trims one log of another channel, so that what is out of date does not wait for a
        reader."""
        if not self._to_trim:
            self._to_trim = list(self._logs)
        log = self._logs.get(self._to_trim.pop())
        if log is not None:
            log.trim(now)

    def _remembered(self, key: tuple[str, str, str], now: float) -> _Remembered | None:
        while self._keys:  # keys of one namespace share their age, so the oldest stand first
            oldest = next(iter(self._keys))
            if self._keys[oldest].until > now:
                break
            del self._keys[oldest]
        remembered = self._keys.get(key)
        return remembered if remembered is not None and remembered.until > now else None

    async def history(
        self, channel: str, since: Position | None, *, limit: int, max_bytes: int, reverse: bool = False
    ) -> HistoryPage:
        log = self._logs.get(channel)
        if log is None:
            return self._no_history(channel, since)
        return log.read(since, self._clock.now(), limit=limit, max_bytes=max_bytes, reverse=reverse)

    def _no_history(self, channel: str, since: Position | None) -> HistoryPage:
        """Nobody has published yet: what is published next follows the top given here. Readers evict no log by this."""
        epoch = self._promised.get(channel)
        if epoch is None:
            epoch = self._promised[channel] = self._ids.new()[:16]
            if len(self._promised) > self.max_channels:
                self._promised.popitem(last=False)
                self.evicted += 1
        top = Position(epoch, 0)
        return HistoryPage((), top, is_complete=since is None or reaches(since, top=top, oldest=1))

    # ---- presence
    # ------------------------------------------------------------------------------------------------------

    async def enter(self, channel: str, info: ClientInfo) -> None:
        members = self._presence.get(channel)
        if members is None:
            members = self._presence[channel] = PresenceSet()
            members.rev = self._revisions.pop(channel, 0)
        if members.enter(info) and self._receiver is not None:
            self._receiver.joined(channel, info, members.rev)

    async def leave(self, channel: str, client: str) -> None:
        members = self._presence.get(channel)
        info = members.leave(client) if members is not None else None
        if members is None or info is None:
            return
        if not members:
            del self._presence[channel]
            self._revisions[channel] = members.rev
            if len(self._revisions) > self.max_channels:
                self._revisions.popitem(last=False)
        if self._receiver is not None:
            self._receiver.left(channel, info, members.rev)

    async def members(self, channel: str) -> tuple[Mapping[str, ClientInfo], int]:
        members = self._presence.get(channel)
        return ({}, self._revisions.get(channel, 0)) if members is None else (members.members(), members.rev)

    async def counts(self, channel: str) -> tuple[int, int]:
        members = self._presence.get(channel)
        return (0, 0) if members is None else members.counts()
