"""Carries out what session machines ask for: handlers, broker, presence. Every call gets an answer, also when it fails.

An error of user code is logged with the session's id and answered as `internal`: details never leave the server.
"""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET, Raw

from wirehop.abc import Action, IdempotencyConflict, PublishOptions
from wirehop.codecs.payload import (
    EVENT_TAG,
    as_json,
    checked_event,
    payload_of,
    published_bytes,
    published_payload,
)
from wirehop.core import codes
from wirehop.core.effects import (
    Admitted,
    Answer,
    Authenticate,
    Authorize,
    Call,
    Failure,
    Invoke,
    Invoked,
    PageRead,
    Publish,
    ReadHistory,
    ReadPage,
    ReadPresence,
    ReadPresenceStats,
    Refresh,
    Request,
    SubRefresh,
)
from wirehop.core.errors import Refused
from wirehop.core.limits import channel_problem
from wirehop.core.messages import (
    ClientInfo,
    ConnectRequest,
    HistoryRequest,
    PayloadKind,
    Position,
    PresenceResult,
    PresenceStatsResult,
    Publication,
    PublishRequest,
    PublishWh,
)
from wirehop.node.eager import run_eagerly
from wirehop.node.events import Client, as_json_value
from wirehop.settings.tree import Namespace, Settings

if TYPE_CHECKING:
    from wirehop.node.driver import Driver
    from wirehop.node.node import Node

log = logging.getLogger("wirehop.node")
VOUCHED = "wh-admin."
"""How the tokens begin that `Node.vouch` is asked about."""
_NOBODY = Admitted()


class Effects:
    """Executes calls for all sessions of a node."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._options: dict[int, tuple[Namespace, PublishOptions]] = {}  # by the id of the namespace's options

    def perform(self, driver: "Driver", call: Call, *, at_once: bool = True) -> None:
        """Carry out the call; the driver is `answered`, before this returns only if `at_once` and nothing waits."""
        known = self._known(driver, call.request) if at_once else None
        if known is not None:
            driver.answered(call.number, known)
            return
        work = self._guarded(driver, call)
        if not at_once or self._runs_user_code(call) or self._node.permission.may_wait(call):
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
        if not self._node.permission.may_command(driver):
            self._node.metrics.dropped["message_by_ticket"] += 1
        elif handler is None:
            self._node.metrics.dropped["no_message_handler"] += 1
        else:
            work = handler(Client(driver), data=bytes(data), sent=_sent(driver, data))
            self._node.spawn(self._told(driver, work))

    def disconnected(self, driver: "Driver", code: int, reason: str) -> None:
        """A session is over."""
        handler = self._node.handlers.disconnect
        if handler is not None and not driver.is_transient and driver.was_admitted:
            self._node.spawn(self._told(driver, handler(Client(driver), code, reason)))

    # ---- guests: anonymous, for one request --------------------------------------------------------------------------

    def asks_nobody(self, action: Literal["subscribe", "publish"]) -> bool:
        """Whether it follows from the namespaces alone who may connect and do that: no handler and no token has a say,
        and nobody is asked."""
        handlers, auth = self._node.handlers, self._node.settings.auth
        handler = handlers.subscribe if action == "subscribe" else handlers.publish
        return handlers.connect is None and handler is None and not (auth.secrets or auth.keys or auth.ask_url)

    def refuses_guest(self, action: Action, channel: str) -> Failure | None:
        """Why somebody anonymous may not do that, where nobody has to be asked: as a session of his would be told."""
        node = self._node
        limit = node.settings.limits.sessions
        if limit and node.population >= limit:
            return Failure(codes.CONNECTION_LIMIT)
        if node.is_draining:
            return Failure(codes.SHUTDOWN)
        if problem := channel_problem(channel, node.limits):
            return Failure(codes.BAD_REQUEST, problem)
        if not node.policy.permits(action, channel, ""):
            return Failure(codes.PERMISSION_DENIED)
        return None

    async def publish_for_guest(
        self, channel: str, data: bytes, kind: PayloadKind, *, event: str = "", key: str = ""
    ) -> Position:
        """Publish for somebody anonymous whom `refuses_guest` lets. Those share the scope of their idempotency keys."""
        tags = {EVENT_TAG: event} if event else None
        return await self.publish(channel, Publication(data, kind, tags=tags), self._node.policy.options(channel), key)

    # ---- how ---------------------------------------------------------------------------------------------------------

    def _known(self, driver: "Driver", request: Request) -> Answer | None:
        """The answer where nobody has to be asked and everybody is told the same: what `_answer` would come to."""
        node = self._node
        if type(request) is Authenticate:
            auth = node.auth
            if (
                node.handlers.connect is None
                and not (request.request.token or driver.credential)
                and auth.tokens is None
                and auth.asking is None
                and not node.is_draining
                and not node.settings.limits.sessions
            ):
                return _NOBODY
        elif type(request) is Authorize and node.handlers.subscribe is None and driver.rights is None:
            asked = request.request
            if not (asked.token or driver.is_admin) and node.policy.permits(
                "subscribe", asked.channel, driver.session.user
            ):
                return node.permission.grant(asked.channel, is_transient=driver.is_transient)
        return None

    def _runs_user_code(self, call: Call) -> bool:
        kind, handlers = type(call.request), self._node.handlers
        if kind is Publish:
            return handlers.publish is not None
        if kind is Authenticate:
            return handlers.connect is not None
        if kind is Authorize:
            return handlers.subscribe is not None
        return kind is Invoke or kind is Refresh

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
                if self._node.interest.is_busy(channel):
                    await self._node.interest.ready(channel)
                page = await self._node.broker.history(channel, since, limit=limit, max_bytes=max_bytes)
                page = self._node.permission.readable(driver, channel, page, since)
                return PageRead(page, self._node.hub.tail_from(channel, page.top.epoch))
            case Authorize(request):
                return await self._node.permission.authorize(driver, request)
            case Refresh(token):
                return await self._node.admission.refresh(driver, token)
            case SubRefresh(channel, token):
                return await self._node.permission.sub_refresh(driver, channel, token)
            case Authenticate(request):
                return await self._authenticate(driver, request)
            case Invoke(method, data):
                return await self._invoke(driver, method, data)
            case ReadHistory(request):
                return await self._history(driver, request)
            case ReadPresence(channel):
                await self._check_presence(driver, channel)
                members, rev = await self._node.presence_store.members(channel)
                return PresenceResult(dict(members), rev)
            case ReadPresenceStats(channel):
                await self._check_presence(driver, channel)
                return PresenceStatsResult(*await self._node.presence_store.counts(channel))

    # ---- each --------------------------------------------------------------------------------------------------------

    async def _authenticate(self, driver: "Driver", request: ConnectRequest) -> Answer:
        if self._node.vouch is not None and request.token.startswith(VOUCHED):
            return self._vouched(driver, self._node.vouch(request.token, driver.session.client))
        return await self._node.admission.authenticate(driver, request)

    @staticmethod
    def _vouched(driver: "Driver", ttl: float | None) -> Answer:
        """Somebody who shows a pass of the admin page: nobody to others, and free to do everything."""
        if ttl is None:
            return Failure(codes.INVALID_TOKEN)
        driver.is_admin = True
        return Admitted(ttl=ttl)

    async def _publish(self, driver: "Driver", request: PublishRequest) -> Answer:
        session = driver.session
        options, instead = self._node.policy.options(request.channel), None
        if not self._node.permission.permits(driver, "publish", request.channel):
            instead = await self._node.permission.demand(driver, "publish", request.channel, data=request.data)
        wh = request.wh or PublishWh()
        sent = _sent(driver, request.data)
        kind = wh.kind
        if sent is None:
            data = published_payload(request.data, kind)
        else:
            data, kind = published_bytes(sent, kind)
        if instead is not None:
            data, kind = bytes(instead), PayloadKind.JSON
        handler = self._node.handlers.publish
        if handler is not None and not driver.is_admin:
            changed = await self._node.patience.limited(
                handler(Client(driver), request.channel, data=as_json(Publication(data, kind)), sent=sent)
            )
            if changed is not None:
                data, kind = payload_of(changed)
        info = None  # of somebody anonymous who came for one request there is nothing to say
        if session.user or not (driver.is_transient or driver.is_admin):
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
        stamped = Publication(
            publication.data,
            publication.kind,
            info=publication.info,
            tags=publication.tags,
            time=int(self._node.clock.wall() * 1000),
            key=publication.key,
        )
        self._node.metrics.publications += 1
        return await self._node.broker.publish(channel, stamped, self._kept(options, idempotency_key, publisher))

    def _kept(self, options: Namespace, idempotency_key: str, publisher: str) -> PublishOptions:
        """How a broker keeps it. One value serves all publications of a namespace that have no key."""
        known = self._options.get(id(options))
        if known is None or known[0] is not options:
            known = self._options[id(options)] = (options, _publish_options(options, self._node.settings))
        kept = known[1]
        if not idempotency_key:
            return kept
        return msgspec.structs.replace(kept, idempotency_key=idempotency_key, publisher=publisher)

    async def _history(self, driver: "Driver", request: HistoryRequest) -> Answer:
        await self._permitted("history", request.channel, driver)
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
        return self._node.permission.readable(driver, request.channel, page, None)

    async def _invoke(self, driver: "Driver", method: str, data: Raw) -> Answer:
        if not self._node.permission.may_command(driver):
            return Failure(codes.PERMISSION_DENIED)
        handler = self._node.handlers.methods.get(method)
        if handler is None:
            return Failure(codes.METHOD_NOT_FOUND, f"there is no method {method[:64]!r}")
        result = await self._node.patience.limited(handler(Client(driver), data=bytes(data), sent=_sent(driver, data)))
        if driver.carries_bytes and isinstance(result, bytes | Raw):
            return Invoked(Raw(bytes(result)))
        return Invoked(as_json_value(result))

    async def _check_presence(self, driver: "Driver", channel: str) -> None:
        options = await self._permitted("presence", channel, driver)
        if not options.presence:
            raise Refused(codes.NOT_AVAILABLE, "presence is off in this namespace")

    async def _permitted(self, action: Action, channel: str, driver: "Driver") -> Namespace:
        if not self._node.permission.permits(driver, action, channel):
            await self._node.permission.demand(driver, action, channel)
        return self._node.policy.options(channel)


def _publish_options(options: Namespace, settings: Settings) -> PublishOptions:
    return PublishOptions(
        delivery=options.delivery,
        history_size=options.history_size,
        history_age=options.history_age,
        key_limit=options.key_limit,
        idempotency_seconds=settings.idempotency.keep,
    )


def _sent(driver: "Driver", data: Raw) -> bytes | None:
    """What the client sent, where its wire carries bytes. Elsewhere it can only send JSON."""
    return bytes(data) if driver.carries_bytes else None
