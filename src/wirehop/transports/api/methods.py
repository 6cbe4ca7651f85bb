"""What each method of the server API does with a node.

A method takes its request and returns what stands under `result`; it refuses by raising `Refused` with a code of the
table. Knows the node and values, and nothing of HTTP or of how answers are written.
"""

import platform
from base64 import b64decode
from typing import TypeVar

import msgspec
from msgspec import Raw, structs

from wirehop.abc import IdempotencyConflict
from wirehop.codecs.json_lines import encode_publication
from wirehop.codecs.payload import json_payload
from wirehop.core import codes
from wirehop.core.codes import Code, Kind, Retry
from wirehop.core.effects import Grant
from wirehop.core.errors import PayloadError, Refused
from wirehop.core.messages import PayloadKind, Position
from wirehop.node.driver import Driver
from wirehop.node.figures import Figures
from wirehop.node.node import Node
from wirehop.transports.api import requests as asked
from wirehop.transports.api.glob import Glob
from wirehop.version import __version__

MOST_CHANNELS = 10_000
"""Channels in one broadcast, and in one answer."""
PAGE_BYTES = 1_048_576
"""Payload in one page of history at most."""

T = TypeVar("T")
Result = dict[str, object]


class Methods:
    """The methods of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._figures = Figures(node)

    # ---- publications ------------------------------------------------------------------------------------------------

    async def publish(self, request: asked.Publish) -> Result:
        """The position that the publication got."""
        payload, kind = self._payload(request)
        return _position(await self._publish(request.channel, request, payload, kind))

    async def broadcast(self, request: asked.Broadcast) -> Result:
        """One response for each channel, in order: what fails in one does not stop the others."""
        if not 0 < len(request.channels) <= MOST_CHANNELS:
            raise Refused(codes.BAD_REQUEST, f"name 1 to {MOST_CHANNELS} channels")
        payload, kind = self._payload(request)
        responses: list[Result] = []
        for channel in request.channels:
            try:
                responses.append({"result": _position(await self._publish(channel, request, payload, kind))})
            except Refused as refusal:
                responses.append(error_of(refusal))
        return {"responses": responses}

    async def _publish(self, channel: str, request: asked.Published, payload: bytes, kind: PayloadKind) -> Position:
        self._checked(channel)
        if request.skip_history and self._node.policy.options(channel).delivery != "signal":
            raise _not_here("skip_history: publish to a namespace with delivery 'signal' to leave nothing in history")
        try:
            return await self._node.publish_payload(
                channel,
                payload,
                kind,
                key=request.key or "",
                tags=request.tags,
                idempotency_key=request.idempotency_key or "",
                publisher="server",
            )
        except IdempotencyConflict as conflict:
            raise Refused(codes.BAD_REQUEST, str(conflict)) from None

    @staticmethod
    def _payload(request: asked.Published) -> tuple[bytes, PayloadKind]:
        if request.delta:
            raise _not_here("delta")
        if request.version or request.version_epoch:
            raise _not_here("version")
        if request.b64data:
            return _from_base64("b64data", request.b64data), PayloadKind.BINARY
        if not bytes(request.data):
            raise Refused(codes.BAD_REQUEST, "data is missing")
        return json_payload(bytes(request.data)), PayloadKind.JSON

    async def history(self, request: asked.History) -> Result:
        """Publications and the top of the log."""
        channel = self._checked(request.channel)
        if self._node.policy.options(channel).delivery == "signal":
            raise _not_here("history: channels with delivery 'signal' have none")
        most = self._node.limits.history_publications
        limit = request.limit or 0
        page = await self._node.broker.history(
            channel,
            None if request.since is None else request.since.position,
            limit=most if limit < 0 else min(limit, most),
            max_bytes=PAGE_BYTES,
            reverse=bool(request.reverse),
        )
        if not page.is_complete:
            raise Refused(codes.UNRECOVERABLE_POSITION)
        publications = [Raw(encode_publication(publication)) for publication in page.publications]
        return {"publications": publications, **_position(page.top)}

    # ---- who is there ------------------------------------------------------------------------------------------------

    async def presence(self, request: asked.OfChannel) -> Result:
        """Who is in the channel, by client id."""
        members, _ = await self._node.presence_store.members(self._with_presence(request.channel))
        return {"presence": dict(members)}

    async def presence_stats(self, request: asked.OfChannel) -> Result:
        """How many are in the channel."""
        clients, users = await self._node.presence_store.counts(self._with_presence(request.channel))
        return {"num_clients": clients, "num_users": users}

    def _with_presence(self, channel: str) -> str:
        if not self._node.policy.options(self._checked(channel)).presence:
            raise _not_here("presence is off in this namespace")
        return channel

    async def channels(self, request: asked.Channels) -> Result:
        """Channels with subscribers on this node."""
        matches = Glob(request.pattern).matches if request.pattern else None
        found: dict[str, object] = {
            name: {"num_clients": channel.count}
            for name, channel in self._node.hub.channels.items()
            if matches is None or matches(name)
        }
        if len(found) > MOST_CHANNELS:
            raise Refused(codes.LIMIT_EXCEEDED, f"more than {MOST_CHANNELS} channels: ask with a narrower pattern")
        return {"channels": found}

    async def info(self, _: asked.Nothing) -> Result:
        """Figures of each node; there is one."""
        node, process = self._node, self._figures.process()
        figures = {
            "uid": node.id,
            "name": platform.node(),
            "version": __version__,
            "num_clients": len(node.sessions),
            "num_users": node.user_count,
            "num_subs": self._figures.subscriptions(),
            "num_channels": len(node.hub.channels),
            "uptime": int(self._figures.uptime),
            "process": process,
        }
        return {"nodes": [figures]}

    # ---- sessions ----------------------------------------------------------------------------------------------------

    async def subscribe(self, request: asked.Subscribe) -> Result:
        """Subscribe sessions, whatever the channel's namespace says."""
        channel = self._checked(request.channel)
        grant = self._grant(request)
        since = None if request.recover_since is None else request.recover_since.position
        drivers = self._sessions(request)
        most = self._node.limits.channels
        for driver in drivers:
            held = driver.session.subscriptions
            if len(held) >= most and channel not in held:
                raise Refused(codes.LIMIT_EXCEEDED, f"session {driver.session.client} has {most} subscriptions")
        for driver in drivers:
            driver.subscribe(channel, grant, since)
        return {}

    def _grant(self, request: asked.Subscribe) -> Grant:
        grant = self._node.permission.grant(request.channel)
        override = request.override or asked.Override()
        has_positions = grant.delivery != "signal"
        for name, wanted in (
            ("force_positioning", override.force_positioning),
            ("force_recovery", override.force_recovery),
        ):
            if wanted is not None and wanted.value != has_positions:
                raise _not_here(f"override.{name}: the namespace's delivery says it, here {grant.delivery!r}")
        if override.presence is not None and override.presence.value and not grant.presence:
            raise _not_here("override.presence: presence is off in this namespace")
        tells = override.force_push_join_leave or override.join_leave
        return structs.replace(
            grant,
            info=_json("info", request.info, request.b64info),
            data=_json("data", request.data, request.b64data),
            presence=grant.presence if override.presence is None else override.presence.value,
            join_leave=grant.join_leave if tells is None else tells.value,
        )

    async def unsubscribe(self, request: asked.Unsubscribe) -> Result:
        """End subscriptions with 2000."""
        channel = self._checked(request.channel)
        for driver in self._sessions(request):
            driver.unsubscribe(channel, codes.UNSUBSCRIBED)
        return {}

    async def disconnect(self, request: asked.Disconnect) -> Result:
        """End sessions: with 3503, unless another code is given."""
        code = _disconnect_code(request.disconnect or asked.DisconnectCode())
        kept = frozenset(request.whitelist or ())
        for driver in self._sessions(request):
            if driver.session.client not in kept:
                driver.end(code)
        return {}

    async def refresh(self, request: asked.Refresh) -> Result:
        """Say when sessions expire. What is over already ends with 3005."""
        at = request.expire_at or 0
        ttl = at - self._node.clock.wall() if at else 0.0
        is_over = bool(request.expired) or (at != 0 and ttl <= 0)
        for driver in self._sessions(request):
            if is_over:
                driver.end(codes.CONNECTION_EXPIRED)
            else:
                driver.refresh(ttl)
        return {}

    def _sessions(
        self, request: asked.Subscribe | asked.Unsubscribe | asked.Disconnect | asked.Refresh
    ) -> list[Driver]:
        if request.session:
            raise _not_here("session: name one by its client id in `client`")
        if not request.user and not request.client:
            raise Refused(codes.BAD_REQUEST, "user is missing (with `client` it may be empty: somebody anonymous)")
        return self._node.sessions_of(request.user, client=request.client or "")

    def _checked(self, channel: str) -> str:
        most = self._node.limits.channel_bytes
        if not channel:
            raise Refused(codes.BAD_REQUEST, "channel is missing")
        if len(channel.encode()) > most or not channel.isprintable():
            raise Refused(codes.BAD_REQUEST, f"a channel's name has at most {most} bytes and no control characters")
        return channel


def error_of(refusal: Refused) -> Result:
    """A refusal as it stands in answers."""
    return {"error": {"code": refusal.code.number, "message": refusal.message}}


def _not_here(what: str) -> Refused:
    return Refused(codes.NOT_AVAILABLE, f"not available: {what}")


def _position(position: Position) -> Result:
    return {"offset": position.offset, "epoch": position.epoch}


def _from_base64(name: str, text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise PayloadError(f"{name} is not base64: {error}") from None


def _json(name: str, value: Raw, encoded: str | None) -> Raw | None:
    """A JSON value that is given as it stands or, under the name with `b64` in front, in base64."""
    if encoded:
        return Raw(json_payload(_from_base64(f"b64{name}", encoded)))
    return Raw(json_payload(bytes(value))) if bytes(value) not in (b"", b"null") else None


def _disconnect_code(wanted: asked.DisconnectCode) -> Code:
    """The row of the table, or an application's own code; what may be reconnected is said by its number."""
    number = wanted.code or codes.FORCE_DISCONNECT.number
    known = codes.find(number)
    if not (4000 <= number <= 4999 or (known is not None and known.kind is Kind.DISCONNECT)):
        raise Refused(codes.BAD_REQUEST, "disconnect.code is a disconnect code of the table, or 4000 to 4999")
    may_reconnect = codes.may_reconnect(number)
    if wanted.reconnect is not None and wanted.reconnect != may_reconnect:
        raise _not_here(f"disconnect.reconnect: the code says it, and {number} says {str(may_reconnect).lower()}")
    text = wanted.reason or (known.text if known is not None else "disconnected by the application")
    if len(text.encode()) > 120 or not text.isprintable():  # it stands in a close frame: RFC 6455 section 5.5
        raise Refused(codes.BAD_REQUEST, "disconnect.reason has at most 120 bytes and no control characters")
    name = known.name if known is not None else "application"
    return Code(number, name, text, Kind.DISCONNECT, Retry.RECONNECT if may_reconnect else Retry.FINAL)


def decode(data: bytes | Raw, kind: type[T]) -> T:
    """A request of this kind. Raises `Refused` (107) for JSON of another shape."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise Refused(codes.BAD_REQUEST, str(error)) from None
