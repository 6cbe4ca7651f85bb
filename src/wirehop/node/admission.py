"""Who comes in, and for how long: credentials, the application's handlers, the application over HTTP.

Connect: a credential (the command's token, else what the wire brought) is checked; then the `on_connect` handler
decides, and where there is neither, the application is asked. What had to wait is checked once more against revocations
before it counts: a session must not slip in while its token is being revoked.
"""

from typing import TYPE_CHECKING

import msgspec

from wirehop.auth.rights import Credential, Rights, SpentTicket
from wirehop.auth.tickets import Ticket
from wirehop.core import codes
from wirehop.core.effects import Admitted, Answer, Failure, Refreshed
from wirehop.core.errors import Refused
from wirehop.core.messages import ConnectRequest
from wirehop.node.events import Client, Connecting, User, as_raw
from wirehop.node.permission import optional

if TYPE_CHECKING:
    from wirehop.node.driver import Driver
    from wirehop.node.node import Node


class Admission:
    """Lets sessions of a node in, lets them stay, and ends them. Refusals are raised as `Refused`."""

    def __init__(self, node: "Node") -> None:
        self._node = node

    # ---- connect -----------------------------------------------------------------------------------------------------

    async def authenticate(self, driver: "Driver", request: ConnectRequest) -> Answer:
        """Who is this?"""
        node = self._node
        limit = node.settings.limits.sessions
        if limit and node.population > limit:
            return Failure(codes.CONNECTION_LIMIT)
        if node.is_draining:
            return Failure(codes.SHUTDOWN)
        credential, driver.credential = request.token or driver.credential, ""
        rights = driver.rights = await self._rights(credential)
        admitted = self._by_rights(rights)
        handler = node.handlers.connect
        if handler is not None:
            if isinstance(credential, str) and credential != request.token:
                request = msgspec.structs.replace(request, token=credential)
            known = rights.token.user if rights is not None and rights.token is not None else ""
            connecting = Connecting(request, driver.peer, user=known, carries_bytes=driver.carries_bytes)
            user = await node.patience.limited(handler(connecting))
            if user is not None:
                if not isinstance(user, User):
                    raise TypeError(f"on_connect must return a User or None, not {type(user).__name__}")
                admitted = self._by_handler(user, admitted)
        if admitted is None and node.auth.asks_about("connect"):
            admitted = await self._by_application(driver, request, credential)
        if admitted is None:
            if node.auth.needs_credentials:
                raise Refused(codes.UNAUTHORIZED, "a token is needed here")
            return Admitted()
        if rights is not None and rights.token is not None:
            node.auth.still_good(rights.token)
        if driver.is_bare:
            admitted = msgspec.structs.replace(admitted, subs={})
        return admitted

    async def _rights(self, credential: Credential) -> Rights | None:
        auth = self._node.auth
        if isinstance(credential, SpentTicket):
            raise Refused(codes.INVALID_TOKEN, "this ticket was used, has expired, or never was")
        if isinstance(credential, Ticket):
            return Rights(auth.still_good(credential.token), credential)
        if auth.tokens is None or not credential:
            return None
        return Rights(await auth.connection(credential))

    def _by_rights(self, rights: Rights | None) -> Admitted | None:
        token = rights.token if rights is not None else None
        if rights is None or token is None:
            return None
        subs = {}
        for channel, grant in token.subs.items():
            if self._node.policy.options(channel).subscribe == "nobody":
                raise Refused(codes.PERMISSION_DENIED, f"nobody may subscribe to {channel[:64]!r}")
            if rights.allows("subscribe", channel):
                subs[channel] = self._node.permission.grant(channel, granted=grant)
        return Admitted(token.user, token.info, ttl=self._node.auth.remaining(token.expires_at), subs=subs)

    def _by_handler(self, user: User, by_token: Admitted | None) -> Admitted:
        before = by_token or Admitted()
        subs = {**before.subs, **{channel: self._node.permission.grant(channel) for channel in user.subs}}
        return Admitted(user.id, as_raw(user.info), as_raw(user.data), ttl=user.ttl or before.ttl, subs=subs)

    async def _by_application(self, driver: "Driver", request: ConnectRequest, credential: Credential) -> Admitted:
        token = credential if isinstance(credential, str) else ""
        verdict = await self._node.permission.ask(
            driver, "connect", token=token, name=request.name, version=request.version, data=request.data
        )
        subs = {channel: self._node.permission.grant(channel) for channel in verdict.channels}
        ttl = self._node.auth.remaining(verdict.expire_at)
        return Admitted(verdict.user, optional(verdict.info), optional(verdict.data), ttl=ttl, subs=subs)

    # ---- staying -----------------------------------------------------------------------------------------------------

    async def refresh(self, driver: "Driver", token: str) -> Answer:
        """May the session go on?"""
        auth, handler, rights = self._node.auth, self._node.handlers.refresh, driver.rights
        ttl: float | None = None
        fresh = None
        if auth.tokens is not None and token:
            try:
                fresh = await auth.connection(token)
            except Refused as refusal:  # one that has expired: connect again, with a newer one
                if refusal.code is codes.TOKEN_EXPIRED:
                    return Failure(codes.CONNECTION_EXPIRED)
                raise
            held = rights.token if rights is not None else None
            if fresh.user != (held.user if held is not None else driver.session.user):
                return Failure(codes.INVALID_TOKEN, "this token is another user's")
            ttl = auth.remaining(fresh.expires_at)
        if handler is not None:
            wanted = await self._node.patience.limited(handler(Client(driver), token))
            if not isinstance(wanted, int | float):
                raise TypeError(f"on_refresh must return seconds, not {type(wanted).__name__}")
            ttl = float(wanted)
        if ttl is None and auth.asks_about("refresh"):
            verdict = await self._node.permission.ask(driver, "refresh", token=token)
            if verdict.expired:
                return Failure(codes.CONNECTION_EXPIRED)
            ttl = auth.remaining(verdict.expire_at)
        if ttl is None:
            if auth.tokens is not None:
                raise Refused(codes.BAD_REQUEST, "a refresh brings a token")
            return Failure(codes.NOT_AVAILABLE)
        if fresh is not None:
            auth.still_good(fresh)
            driver.rights = rights or Rights()
            driver.rights.token = fresh
        return Refreshed(ttl)

    # ---- revocation --------------------------------------------------------------------------------------------------

    def revoke(self, *, user: str, token_id: str, before: float | None) -> int:
        """Revoke tokens, and end what goes on by them; how many sessions. Raises ValueError for nothing to revoke."""
        node, revocations = self._node, self._node.auth.revocations
        if token_id:
            revocations.revoke_id(token_id)
        if user:
            revocations.revoke_user(user, node.clock.wall() if before is None else before)
        elif before is not None:
            revocations.revoke_before(before)
        elif not token_id:
            raise ValueError("say what to revoke: user, token_id or before")
        if node.auth.asking is not None:
            node.auth.asking.forget()
        return self._end_revoked(user if before is None else "")

    def _end_revoked(self, user: str) -> int:
        """End the sessions and subscriptions whose tokens are revoked, and those of `user` that have no token; how many
        sessions."""
        count = 0
        covers = self._node.auth.revocations.covers
        waiting = [each.last for each in self._node.resumption.all() if each.last.wire is None]
        for driver in [*self._node.sessions.values(), *waiting]:
            rights, session = driver.rights, driver.session
            token = rights.token if rights is not None else None
            if token is None:
                is_revoked = bool(user) and session.user == user
            else:
                names = {token.user, session.user}
                is_revoked = any(covers(name, token.token_id, token.issued_at) for name in names)
            if is_revoked:
                if driver.wire is None and driver.lasting is not None:
                    driver.lasting.end(codes.INVALID_TOKEN, "the token was revoked")
                else:
                    driver.end(codes.INVALID_TOKEN, "the token was revoked")
                count += 1
            elif rights is not None and rights.channels:
                for channel, grant in list(rights.channels.items()):
                    if covers(session.user, grant.token_id, grant.issued_at):
                        rights.drop(channel)
                        driver.unsubscribe(channel, codes.UNSUBSCRIBED)
                        if driver.lasting is not None:
                            driver.lasting.unsubscribe(channel, codes.UNSUBSCRIBED)
        return count
