"""Carries out what session machines ask for: handlers, broker, presence. Every call gets an answer, also when it fails.

An error of user code is logged with the session's id and answered as `internal`: details never leave the server.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Raw

from wirehop.abc import Action, IdempotencyConflict
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
    TakeOver,
)
from wirehop.core.errors import Refused
from wirehop.core.limits import channel_problem
from wirehop.core.messages import (
    ClientInfo,
    ConnectRequest,
    HistoryRequest,
    PresenceResult,
    PresenceStatsResult,
)
from wirehop.node.eager import run_eagerly
from wirehop.node.events import Client, as_json_value
from wirehop.node.lasting import ANSWER
from wirehop.settings.tree import Namespace

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

    def perform(self, driver: "Driver", call: Call, *, at_once: bool = True) -> None:
        """Carry out the call; the driver is `answered`, before this returns only if `at_once` and nothing waits."""
        if isinstance(call.request, TakeOver):
            self._node.spawn(self._take_over(driver, call.number, call.request))
            return
        if at_once:
            try:
                known = self._at_once(driver, call.request)
            except Exception as error:
                known = self._failure(driver, call, error)
            if known is not None:
                driver.answered(call.number, known)
                return
        if not at_once or self._runs_user_code(call) or self._node.permission.may_wait(call):
            self._node.spawn(self._answer_later(driver, call))
        else:
            run_eagerly(
                self._guarded(driver, call), lambda answer: driver.answered(call.number, answer), self._node.spawn
            )

    def enter(self, channel: str, info: ClientInfo) -> None:
        """The session is in the channel."""
        self._run_in_order(channel, self._node.presence_store.enter(channel, info))

    def leave(self, channel: str, client: str) -> None:
        """The session left the channel."""
        self._node.rooms.left(channel, client)
        self._run_in_order(channel, self._node.presence_store.leave(channel, client))

    def received(self, driver: "Driver", data: Raw) -> None:
        """A client sent something that wants no reply."""
        handler = self._node.handlers.message
        if not self._node.permission.may_command(driver):
            self._node.metrics.dropped["message_by_ticket"] += 1
        elif handler is None:
            self._node.metrics.dropped["no_message_handler"] += 1
        else:
            call = handler  # as it is now
            self._node.spawn(
                self._told(driver, lambda: call(Client(driver), data=bytes(data), sent=_sent(driver, data)))
            )

    def disconnected(self, driver: "Driver", code: int, reason: str) -> None:
        """A session is over."""
        handler = self._node.handlers.disconnect
        if handler is not None and not driver.is_transient and driver.was_admitted:
            self._node.spawn(self._told(driver, lambda: handler(Client(driver), code, reason)))

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

    # ---- how ---------------------------------------------------------------------------------------------------------

    def _at_once(self, driver: "Driver", request: Request) -> Answer | None:
        """What `_answer` would come to, where nobody has to be asked or waited for; None where somebody has."""
        node = self._node
        if type(request) is Publish:
            return node.publishing.at_once(driver, request.request)
        if type(request) is Authenticate:
            auth = node.auth
            if (
                node.handlers.connect is None
                and not (request.request.token or driver.credential)
                and auth.tokens is None
                and auth.asking is None
                and not node.is_draining
                and not node.settings.limits.sessions
                and not self._asks_owner(request)
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
            return handlers.connect is not None or self._asks_owner(call.request)
        if kind is Authorize:
            return handlers.subscribe is not None
        return kind is Invoke or kind is Refresh

    def _asks_owner(self, request: Request) -> bool:
        """Whether another node has to be asked about the session that the client goes on with."""
        wh = request.request.wh if isinstance(request, Authenticate) else None
        return wh is not None and bool(wh.token) and not self._node.resumption.knows(wh.token)

    async def _answer_later(self, driver: "Driver", call: Call) -> None:
        driver.answered(call.number, await self._guarded(driver, call))

    def _run_in_order(self, channel: str, work: Coroutine[Any, Any, None]) -> None:
        """Presence changes of a channel must not overtake each other."""
        self._node.interest.after_pending(channel, work)

    async def _told(self, driver: "Driver", work: Callable[[], Awaitable[object]]) -> None:
        try:
            async with asyncio.timeout(self._node.settings.limits.handler_timeout):
                await work()
        except Exception:
            self._node.metrics.errors["handler"] += 1
            log.exception("a handler failed, session=%s", driver.session.client)

    async def _guarded(self, driver: "Driver", call: Call) -> Answer:
        try:
            return await self._answer(driver, call)
        except Exception as error:
            return self._failure(driver, call, error)

    def _failure(self, driver: "Driver", call: Call, error: Exception) -> Failure:
        if isinstance(error, Refused):
            return Failure(error.code, error.message)
        if isinstance(error, IdempotencyConflict):
            return Failure(codes.BAD_REQUEST, str(error))
        self._node.metrics.errors["effect"] += 1
        name = type(call.request).__name__
        log.error("%s failed, session=%s", name, driver.session.client, exc_info=error)
        return Failure(codes.INTERNAL)

    async def _answer(self, driver: "Driver", call: Call) -> Answer:
        match call.request:
            case Publish(request):
                return await self._node.publishing.for_session(driver, request)
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
            case TakeOver():
                raise TypeError("answered by taken_over")
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
        admitted = await self._node.admission.authenticate(driver, request)
        if isinstance(admitted, Admitted) and request.wh is not None and request.wh.token:
            driver.looked = await self._node.resumption.look_elsewhere(request.wh.token, admitted.user)
        return admitted

    async def _take_over(self, driver: "Driver", number: int, request: TakeOver) -> None:
        driver.taken_over(number, await self._node.resumption.take_over(request))

    @staticmethod
    def _vouched(driver: "Driver", ttl: float | None) -> Answer:
        """Somebody who shows a pass of the admin page: nobody to others, and free to do everything."""
        if ttl is None:
            return Failure(codes.INVALID_TOKEN)
        driver.is_admin = True
        return Admitted(ttl=ttl)

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
        if method == ANSWER and driver.lasting is not None:
            return driver.lasting.answered(data)
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


def _sent(driver: "Driver", data: Raw) -> bytes | None:
    """What the client sent, where its wire carries bytes. Elsewhere it can only send JSON."""
    return bytes(data) if driver.carries_bytes else None
