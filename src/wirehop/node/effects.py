"""Carries out what session machines ask for: handlers, broker, presence. Every call gets an answer, also when it fails.

An error of user code is logged with the session's id and answered as `internal`: details never leave the server.
"""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import UNSET, Raw

from wirehop.abc import Action, IdempotencyConflict, PublishOptions
from wirehop.codecs.payload import EVENT_TAG, as_json, checked_event, json_payload, payload_of, published_payload
from wirehop.core import codes
from wirehop.core.effects import (
    Admitted,
    Answer,
    Authenticate,
    Authorize,
    Call,
    Failure,
    Grant,
    Invoke,
    Invoked,
    PageRead,
    Publish,
    ReadHistory,
    ReadPage,
    ReadPresence,
    ReadPresenceStats,
    Refresh,
    Refreshed,
    SubRefresh,
)
from wirehop.core.errors import Refused
from wirehop.core.messages import (
    ClientInfo,
    ConnectRequest,
    HistoryRequest,
    Position,
    PresenceResult,
    PresenceStatsResult,
    Publication,
    PublishRequest,
    PublishWh,
    SubscribeRequest,
)
from wirehop.node.eager import run_eagerly
from wirehop.node.events import Client, Connecting, User
from wirehop.settings.tree import Namespace

if TYPE_CHECKING:
    from wirehop.node.driver import Driver
    from wirehop.node.node import Node

log = logging.getLogger("wirehop.node")
T = TypeVar("T")


class Effects:
    """Executes calls for all sessions of a node."""

    def __init__(self, node: "Node") -> None:
        self._node = node

    def perform(self, driver: "Driver", call: Call, *, at_once: bool = True) -> None:
        """Carry out the call; the driver is `answered`, before this returns only if `at_once` and nothing waits."""
        work = self._guarded(driver, call)
        if not at_once or self._runs_user_code(call):
            self._node.spawn(self._answer_later(driver, call.number, work))
        else:
            run_eagerly(work, lambda answer: driver.answered(call.number, answer), self._node.spawn)

    def enter(self, channel: str, info: ClientInfo) -> None:
        """The session is in the channel."""
        self._run_in_order(channel, self._node.presence_store.enter(channel, info))

    def leave(self, channel: str, client: str) -> None:
        """The session left the channel."""
        self._run_in_order(channel, self._node.presence_store.leave(channel, client))

    def received(self, driver: "Driver", data: Raw) -> None:
        """A client sent something that wants no reply."""
        handler = self._node.handlers.message
        if handler is None:
            self._node.metrics.dropped["no_message_handler"] += 1
        else:
            self._node.spawn(self._told(driver, handler(Client(driver), data=bytes(data))))

    def disconnected(self, driver: "Driver", code: int, reason: str) -> None:
        """A session is over."""
        handler = self._node.handlers.disconnect
        if handler is not None and not driver.is_transient and driver.was_admitted:
            self._node.spawn(self._told(driver, handler(Client(driver), code, reason)))

    # ---- how ---------------------------------------------------------------------------------------------------------

    def _runs_user_code(self, call: Call) -> bool:
        handlers = self._node.handlers
        match call.request:
            case Authenticate():
                return handlers.connect is not None
            case Authorize():
                return handlers.subscribe is not None
            case Publish():
                return handlers.publish is not None
            case Invoke() | Refresh():
                return True
            case _:
                return False

    async def _answer_later(self, driver: "Driver", number: int, work: Coroutine[Any, Any, Answer]) -> None:
        driver.answered(number, await work)

    def _run_in_order(self, channel: str, work: Coroutine[Any, Any, None]) -> None:
        """Presence changes of a channel must not overtake each other."""
        self._node.interest.after_pending(channel, work)

    async def _told(self, driver: "Driver", work: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(self._node.settings.limits.handler_timeout):
                await work
        except Exception:
            self._node.metrics.errors["handler"] += 1
            log.exception("a handler failed, session=%s", driver.session.client)

    async def _guarded(self, driver: "Driver", call: Call) -> Answer:
        try:
            return await self._answer(driver, call)
        except Refused as refusal:
            return Failure(refusal.code, refusal.message)
        except IdempotencyConflict as conflict:
            return Failure(codes.BAD_REQUEST, str(conflict))
        except Exception:
            self._node.metrics.errors["effect"] += 1
            log.exception("%s failed, session=%s", type(call.request).__name__, driver.session.client)
            return Failure(codes.INTERNAL)

    async def _answer(self, driver: "Driver", call: Call) -> Answer:
        match call.request:
            case Publish(request):
                return await self._publish(driver, request)
            case ReadPage(channel, since, limit, max_bytes):
                await self._node.interest.ready(channel)
                page = await self._node.broker.history(channel, since, limit=limit, max_bytes=max_bytes)
                return PageRead(page, self._node.hub.tail_from(channel, page.top.epoch))
            case Authorize(request):
                return await self._authorize(driver, request)
            case Refresh(token):
                return await self._refresh(driver, token)
            case SubRefresh(channel, token):
                return await self._sub_refresh(driver, channel, token)
            case Authenticate(request):
                return await self._authenticate(driver, request)
            case Invoke(method, data):
                return await self._invoke(driver, method, data)
            case ReadHistory(request):
                return await self._history(driver, request)
            case ReadPresence(channel):
                self._check_presence(driver, channel)
                members, rev = await self._node.presence_store.members(channel)
                return PresenceResult(dict(members), rev)
            case ReadPresenceStats(channel):
                self._check_presence(driver, channel)
                return PresenceStatsResult(*await self._node.presence_store.counts(channel))

    async def _limited(self, work: Awaitable[T]) -> T:
        async with asyncio.timeout(self._node.settings.limits.handler_timeout):
            return await work

    # ---- each --------------------------------------------------------------------------------------------------------

    async def _authenticate(self, driver: "Driver", request: ConnectRequest) -> Answer:
        limit = self._node.settings.limits.sessions
        if limit and len(self._node.sessions) > limit:
            return Failure(codes.CONNECTION_LIMIT)
        if self._node.is_draining:
            return Failure(codes.SHUTDOWN)
        handler = self._node.handlers.connect
        if handler is None:
            return Admitted()
        user = await self._limited(handler(Connecting(request, driver.peer)))
        if user is None:
            return Admitted()
        if not isinstance(user, User):
            raise TypeError(f"on_connect must return a User or None, not {type(user).__name__}")
        subs = {channel: self.grant(channel) for channel in user.subs}
        return Admitted(user.id, _raw(user.info), _raw(user.data), ttl=user.ttl, subs=subs)

    async def _refresh(self, driver: "Driver", token: str) -> Answer:
        handler = self._node.handlers.refresh
        if handler is None:
            return Failure(codes.NOT_AVAILABLE)
        ttl = await self._limited(handler(Client(driver), token))
        if not isinstance(ttl, int | float):
            raise TypeError(f"on_refresh must return seconds, not {type(ttl).__name__}")
        return Refreshed(float(ttl))

    async def _sub_refresh(self, driver: "Driver", channel: str, token: str) -> Answer:
        return Failure(codes.NOT_AVAILABLE)

    async def _authorize(self, driver: "Driver", request: SubscribeRequest) -> Answer:
        channel, user = request.channel, driver.session.user
        self._permitted("subscribe", channel, user)
        handler = self._node.handlers.subscribe
        if handler is not None:
            await self._limited(handler(Client(driver), channel))
        return self.grant(channel, is_transient=driver.is_transient)

    def grant(self, channel: str, *, data: object = None, is_transient: bool = False) -> Grant:
        """What a subscription to the channel gets by its namespace."""
        options = self._node.policy.options(channel)
        return Grant(options.delivery, options.presence and not is_transient, options.join_leave, data=_raw(data))

    async def _publish(self, driver: "Driver", request: PublishRequest) -> Answer:
        session = driver.session
        options = self._permitted("publish", request.channel, session.user)
        wh = request.wh or PublishWh()
        kind = wh.kind
        data = published_payload(request.data, kind)
        handler = self._node.handlers.publish
        if handler is not None:
            changed = await self._limited(
                handler(Client(driver), request.channel, data=as_json(Publication(data, kind)))
            )
            if changed is not None:
                data, kind = payload_of(changed)
        info = None  # of somebody anonymous who came for one request there is nothing to say
        if session.user or not driver.is_transient:
            info = ClientInfo(session.user, session.client, UNSET if session.info is None else session.info)
        tags = {EVENT_TAG: checked_event(wh.event)} if wh.event else None
        # a key outlives the one request of an anonymous publisher over HTTP, so those share their keys
        nobody = "" if driver.is_transient else f"client:{session.client}"
        publisher = f"user:{session.user}" if session.user else nobody
        publication = Publication(data, kind, info=info, tags=tags)
        return await self.publish(request.channel, publication, options, wh.key, publisher)

    async def publish(
        self,
        channel: str,
        publication: Publication,
        options: Namespace,
        idempotency_key: str = "",
        publisher: str = "",
    ) -> Position:
        """Check the size, stamp the time, give it to the broker."""
        if len(publication.data) > options.publication_bytes:
            raise Refused(codes.LIMIT_EXCEEDED, f"a publication has at most {options.publication_bytes} bytes here")
        if len(idempotency_key) > 256:
            raise Refused(codes.BAD_REQUEST, "an idempotency key has at most 256 characters")
        stamped = msgspec.structs.replace(publication, time=int(self._node.clock.wall() * 1000))
        self._node.metrics.publications += 1
        return await self._node.broker.publish(
            channel,
            stamped,
            PublishOptions(
                delivery=options.delivery,
                history_size=options.history_size,
                history_age=options.history_age,
                key_limit=options.key_limit,
                idempotency_key=idempotency_key,
                publisher=publisher,
                idempotency_seconds=self._node.settings.idempotency.keep,
            ),
        )

    async def _history(self, driver: "Driver", request: HistoryRequest) -> Answer:
        self._permitted("history", request.channel, driver.session.user)
        most = self._node.limits.history_publications
        limit = most if request.limit < 0 else min(request.limit, most)
        page = await self._node.broker.history(
            request.channel,
            request.since,
            limit=limit,
            max_bytes=self._node.limits.page_bytes,
            reverse=request.reverse,
        )
        if not page.is_complete:
            return Failure(codes.UNRECOVERABLE_POSITION)
        return page

    async def _invoke(self, driver: "Driver", method: str, data: Raw) -> Answer:
        handler = self._node.handlers.methods.get(method)
        if handler is None:
            return Failure(codes.METHOD_NOT_FOUND, f"there is no method {method[:64]!r}")
        result = await self._limited(handler(Client(driver), data=bytes(data)))
        return Invoked(_json(result))

    def _check_presence(self, driver: "Driver", channel: str) -> None:
        options = self._permitted("presence", channel, driver.session.user)
        if not options.presence:
            raise Refused(codes.NOT_AVAILABLE, "presence is off in this namespace")

    def _permitted(self, action: Action, channel: str, user: str) -> Namespace:
        if not self._node.policy.permits(action, channel, user):
            raise Refused(codes.PERMISSION_DENIED)
        return self._node.policy.options(channel)


def _raw(value: object) -> Raw | None:
    return None if value is None else _json(value)


def _json(value: object) -> Raw:
    """What a handler gave back as JSON. `Raw` is checked and compacted: a line break in it would forge a reply."""
    return Raw(json_payload(bytes(value)) if isinstance(value, Raw) else msgspec.json.encode(value))
