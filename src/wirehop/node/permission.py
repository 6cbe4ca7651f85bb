"""Who may subscribe, publish and read: by namespace, ticket, token, handler, or by asking the application.

A session's ticket must leave it open, and its namespace, a token or the application must grant it; then the
`on_subscribe` handler may still refuse. A namespace that says `nobody` means it, whatever a token says. What was
granted with a limit (`since`) is held to it whenever history is read.
"""

from base64 import b64encode
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from wirehop.abc import Action
from wirehop.auth.asking import Asked, Question, Verdict
from wirehop.auth.rights import Rights
from wirehop.auth.tokens import ChannelGrant, actions_of
from wirehop.codecs.payload import json_payload
from wirehop.core import codes
from wirehop.core.effects import (
    Answer,
    Authenticate,
    Authorize,
    Call,
    Failure,
    Grant,
    Publish,
    ReadHistory,
    ReadPresence,
    ReadPresenceStats,
    Refresh,
    Refreshed,
    SubRefresh,
)
from wirehop.core.errors import Refused
from wirehop.core.messages import Position, SubscribeRequest
from wirehop.core.recovery import HistoryPage
from wirehop.node.events import Client, as_raw
from wirehop.settings.tree import Namespace

if TYPE_CHECKING:
    from wirehop.node.driver import Driver
    from wirehop.node.node import Node


class Permission:
    """Decides for all sessions of a node. Refusals are raised as `Refused`."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._grants: dict[tuple[int, bool], tuple[Namespace, Grant]] = {}  # by the id of the namespace's options

    def may_wait(self, call: Call) -> bool:
        """Whether the call may have to ask somebody over the network, and so needs a task of its own."""
        auth = self._node.auth
        if not auth.may_wait:
            return False
        match call.request:
            case Authenticate() | Refresh() | SubRefresh():
                return True
            case Authorize(request):
                return bool(request.token) or self._who("subscribe", request.channel) == "ask"
            case Publish(published):
                return self._who("publish", published.channel) == "ask"
            case ReadHistory(asked):
                return self._who("history", asked.channel) == "ask"
            case ReadPresence(channel) | ReadPresenceStats(channel):
                return self._who("presence", channel) == "ask"
            case _:
                return False

    # ---- subscribe ---------------------------------------------------------------------------------------------------

    async def authorize(self, driver: "Driver", request: SubscribeRequest) -> Answer:
        """May the session subscribe?"""
        channel = request.channel
        if driver.is_admin:
            return self.grant(channel, is_transient=True)
        if driver.rights is not None:
            driver.rights.drop(channel)
        granted = await self._granted(driver, request)
        handler = self._node.handlers.subscribe
        if handler is not None:
            await self._node.patience.limited(handler(Client(driver), channel))
        if granted is not None:
            if self._node.auth.revocations.covers(driver.session.user, granted.token_id, granted.issued_at):
                raise Refused(codes.PERMISSION_DENIED, "the token was revoked")
            self._keep(driver, channel, granted)
        self._take_over(driver)
        return self.grant(channel, granted=granted, is_transient=driver.is_transient)

    async def _granted(self, driver: "Driver", request: SubscribeRequest) -> ChannelGrant | None:
        """What somebody granted beyond what the namespace leaves open to all like this one (None)."""
        node, channel, rights = self._node, request.channel, driver.rights
        who = self._who("subscribe", channel)
        if who == "nobody" or (rights is not None and not rights.allows("subscribe", channel)):
            raise Refused(codes.PERMISSION_DENIED)
        if request.token and node.auth.tokens is not None:
            return await node.auth.subscription(request.token, channel, driver.session.user)
        if node.policy.permits("subscribe", channel, driver.session.user):
            return None
        token = rights.token if rights is not None else None
        if token is not None and token.grants("subscribe", channel):
            # what its `caps` grant beyond is asked of the token itself
            marks = ChannelGrant(token_id=token.token_id, issued_at=token.issued_at, actions=frozenset({"subscribe"}))
            return token.subs.get(channel, marks)
        if who == "ask":
            verdict = await self.ask(driver, "subscribe", channel=channel, token=request.token, data=request.data)
            return self._by_verdict(verdict)
        raise Refused(codes.PERMISSION_DENIED)

    def _by_verdict(self, verdict: Verdict) -> ChannelGrant:
        return ChannelGrant(
            actions=actions_of(verdict.allow or None),
            info=optional(verdict.info),
            data=optional(verdict.data),
            since=verdict.since,
            expires_at=verdict.expire_at,
            issued_at=self._node.clock.wall(),
        )

    def grant(
        self, channel: str, *, granted: ChannelGrant | None = None, data: object = None, is_transient: bool = False
    ) -> Grant:
        """What a subscription to the channel gets by its namespace, and by what was granted."""
        options = self._node.policy.options(channel)
        presence = options.presence and not is_transient
        if granted is None and data is None:
            return self._plain_grant(options, presence=presence)
        if granted is None:
            return Grant(options.delivery, presence, options.join_leave, data=as_raw(data))
        ttl = self._node.auth.remaining(granted.expires_at)
        return Grant(options.delivery, presence, options.join_leave, granted.info, granted.data, ttl)

    def _plain_grant(self, options: Namespace, *, presence: bool) -> Grant:
        """One value for all subscriptions of a namespace to which nobody added anything."""
        known = self._grants.get((id(options), presence))
        if known is None or known[0] is not options:
            grant = Grant(options.delivery, presence, options.join_leave)
            known = self._grants[id(options), presence] = (options, grant)
        return known[1]

    def _keep(self, driver: "Driver", channel: str, grant: ChannelGrant) -> None:
        if driver.rights is None:
            driver.rights = Rights()
        driver.rights.keep(channel, grant, driver.session.subscriptions)

    def _take_over(self, driver: "Driver") -> None:
        """A newer use of a ticket for streams ends the older."""
        ticket = driver.rights.ticket if driver.rights is not None else None
        if ticket is None or ticket.use != "stream" or ticket.holder == driver.session.client:
            return
        older, ticket.holder = self._node.sessions.get(ticket.holder), driver.session.client
        if older is not None:
            older.end(codes.SUPERSEDED, "the ticket of this stream was used again")

    # ---- publish and read --------------------------------------------------------------------------------------------

    def permits(self, driver: "Driver", action: Action, channel: str) -> bool | None:
        """Whether the session may do that now; None: the application must be asked."""
        if driver.is_admin:
            return True
        rights = driver.rights
        who = self._who(action, channel)
        if who == "nobody":
            return False
        if rights is not None:
            if not rights.allows(action, channel):
                return False
            if rights.grants(action, channel, driver.session.subscriptions):
                return True
        if self._node.policy.permits(action, channel, driver.session.user):
            return True
        return None if who == "ask" else False

    async def demand(self, driver: "Driver", action: Action, channel: str, *, data: Raw | None = None) -> Raw | None:
        """Refuse, unless the session may do that. For publish: what the application says to publish instead, if it
        was asked and said so."""
        verdict = self.permits(driver, action, channel)
        if verdict is None:
            asked: Asked = "publish" if action == "publish" else "subscribe"
            given = msgspec.UNSET if data is None else data
            answer = await self.ask(driver, asked, channel=channel, data=given)
            if action != "publish" and action not in actions_of(answer.allow or None):
                raise Refused(codes.PERMISSION_DENIED)
            return optional(answer.data) if action == "publish" else None
        if not verdict:
            raise Refused(codes.PERMISSION_DENIED)
        return None

    def may_command(self, driver: "Driver") -> bool:
        """Whether the session may do more than read: rpc and send."""
        rights = driver.rights
        return rights is None or rights.ticket is None or rights.ticket.may_command

    def readable(self, driver: "Driver", channel: str, page: HistoryPage, since: Position | None) -> HistoryPage:
        """The page without what was published before the session may read. A recovery from before then did not
        happen."""
        earliest = int(self._earliest(driver, channel) * 1000)  # publications have whole milliseconds
        if not earliest or not page.publications or all(each.time >= earliest for each in page.publications):
            return page
        kept = tuple(each for each in page.publications if each.time >= earliest)
        if since is None or self._node.policy.options(channel).delivery == "latest":
            return msgspec.structs.replace(page, publications=kept, is_complete=page.is_complete and since is None)
        return msgspec.structs.replace(page, publications=(), is_complete=False)

    def _earliest(self, driver: "Driver", channel: str) -> float:
        """Unix time from which on the session may read the channel; 0: all of it."""
        rights = driver.rights
        if rights is None:
            return 0.0
        grant = rights.grant(channel, driver.session.subscriptions)
        if grant is None and rights.token is not None:
            grant = rights.token.subs.get(channel)
        if grant is None or self._node.policy.permits("subscribe", channel, driver.session.user):
            return 0.0
        return min(grant.since, self._node.clock.wall())

    async def sub_refresh(self, driver: "Driver", channel: str, token: str) -> Answer:
        """May the subscription go on?"""
        auth = self._node.auth
        if auth.tokens is not None and token:
            try:
                grant = await auth.subscription(token, channel, driver.session.user)
            except Refused as refusal:
                if refusal.code is codes.TOKEN_EXPIRED:
                    return Failure(codes.SUBSCRIPTION_EXPIRED)
                raise
            self._keep(driver, channel, grant)
            return Refreshed(auth.remaining(grant.expires_at))
        if auth.asks_about("sub_refresh"):
            verdict = await self.ask(driver, "sub_refresh", channel=channel, token=token)
            if verdict.expired:
                return Failure(codes.SUBSCRIPTION_EXPIRED)
            return Refreshed(auth.remaining(verdict.expire_at))
        return Failure(codes.NOT_AVAILABLE)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _who(self, action: Action, channel: str) -> str:
        options: Namespace = self._node.policy.options(channel)
        return options.publish if action == "publish" else options.subscribe

    async def ask(
        self,
        driver: "Driver",
        action: Asked,
        *,
        channel: str = "",
        token: str = "",
        name: str = "",
        version: str = "",
        data: Raw | msgspec.UnsetType = msgspec.UNSET,
    ) -> Verdict:
        """The application's yes. Raises `Refused` for anything else."""
        asking = self._node.auth.asking
        if asking is None:
            raise Refused(codes.PERMISSION_DENIED)
        session, peer = driver.session, driver.peer
        question = Question(
            action=action,
            client=session.client,
            user=session.user,
            transport=driver.wire_name,
            address=peer.address,
            origin=peer.origin,
            channel=channel,
            token=token,
            name=name,
            version=version,
        )
        if isinstance(data, Raw) and bytes(data):
            if driver.carries_bytes:  # they may be no JSON, and would break out of it
                question = msgspec.structs.replace(question, b64data=b64encode(bytes(data)).decode())
            else:
                question = msgspec.structs.replace(question, data=Raw(json_payload(bytes(data))))
        try:
            return await asking.ask(question)
        except Refused as refusal:
            if refusal.code is codes.INTERNAL:
                self._node.metrics.errors["ask"] += 1
            raise


def optional(value: Raw | msgspec.UnsetType) -> Raw | None:
    """None for what is not set."""
    return value if isinstance(value, Raw) else None
