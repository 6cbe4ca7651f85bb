"""`POST /connection/login` keeps a token in a cookie that no script can read; `POST /connection/logout` takes it away.

Both are for pages of allowed origins only, as the cookie itself: a page of somebody else can neither log a visitor in
(as somebody of its choice) nor out. The token comes in `Authorization: Bearer`, which no form can send. Logging out
also revokes the token, if it has an id, so that a copy of it is worth nothing.
"""

import msgspec

from wirehop.abc import Exchange
from wirehop.auth.cookies import MAX_COOKIE_BYTES
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.node.node import Node
from wirehop.transports.door import Door, bearer_of

METHODS = "POST, OPTIONS"


class LoginTransport:
    """Sets and clears the cookie."""

    name = "login"

    def __init__(self, node: Node, door: Door) -> None:
        self._node = node
        self._door = door

    def login(self, exchange: Exchange) -> None:
        """Serve one request to log in."""
        if self._is_admitted(exchange):
            self._node.spawn(self._log_in(exchange))

    def logout(self, exchange: Exchange) -> None:
        """Serve one request to log out."""
        if self._is_admitted(exchange):
            self._node.spawn(self._log_out(exchange))

    def _is_admitted(self, exchange: Exchange) -> bool:
        request = exchange.request
        if request.method == "OPTIONS":
            self._door.preflight(exchange, METHODS)
        elif request.method != "POST":
            self._door.wrong_method(exchange, METHODS)
        elif self._door.admits(exchange):
            if self._door.cookies.comes_from_own_page(request.headers, scheme=request.scheme):
                return True
            self._door.refuse(exchange, codes.PERMISSION_DENIED, "only a page of an allowed origin logs in and out")
        return False

    async def _log_in(self, exchange: Exchange) -> None:
        text, cookies, scheme = bearer_of(exchange.request), self._door.cookies, exchange.request.scheme
        try:
            if not text:
                raise Refused(codes.UNAUTHORIZED, "the token comes in `Authorization: Bearer`")
            token = await self._node.auth.connection(text)
        except Refused as refusal:
            self._door.refuse(exchange, refusal.code, refusal.message)
            return
        cookie = cookies.set(text, seconds=self._node.auth.remaining(token.expires_at), scheme=scheme)
        if len(cookie) > MAX_COOKIE_BYTES:
            self._door.refuse(
                exchange, codes.LIMIT_EXCEEDED, f"the cookie would have more than {MAX_COOKIE_BYTES} bytes"
            )
            return
        body = {"user": token.user, "ttl": int(self._node.auth.remaining(token.expires_at))}
        self._door.json(exchange, 200, msgspec.json.encode(body), [("Set-Cookie", cookie)])

    async def _log_out(self, exchange: Exchange) -> None:
        request, cookies = exchange.request, self._door.cookies
        text = cookies.token(request.headers, scheme=request.scheme)
        try:
            token = await self._node.auth.connection(text) if text else None
        except Refused:
            token = None  # it is no good any more: there is nothing to revoke
        if token is not None and token.token_id:
            try:
                self._node.revoke(token_id=token.token_id)
            except Refused as refusal:
                self._door.refuse(exchange, refusal.code, refusal.message)
                return
        cleared = ("Set-Cookie", cookies.clear(scheme=request.scheme))
        self._door.json(exchange, 200, b"{}", [cleared])
