"""Publishing: may it, what is it, and on to the broker. By sessions, by guests over HTTP, and by the application.

Where nobody has to be asked and the broker answers at once, it is done in the loop turn in which it was asked for.
"""

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from wirehop.abc import PublishOptions
from wirehop.codecs.payload import (
    EVENT_TAG,
    as_json,
    checked_event,
    payload_of,
    published_bytes,
    published_payload,
)
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.core.messages import ClientInfo, PayloadKind, Position, Publication, PublishRequest, PublishWh
from wirehop.node.events import Client
from wirehop.settings.tree import Namespace, Settings

if TYPE_CHECKING:
    from wirehop.node.driver import Driver
    from wirehop.node.node import Node

_PLAIN = PublishWh()


class Publishing:
    """For all of a node. Refusals are raised as `Refused`, bad payloads as `PayloadError`."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._options: dict[int, tuple[Namespace, PublishOptions]] = {}  # by the id of the namespace's options

    def at_once(self, driver: "Driver", request: PublishRequest) -> Position | None:
        """Publish for a session now. None, and nothing happened, where `for_session` has to be awaited."""
        node, channel = self._node, request.channel
        give = node.publish_at_once
        if give is None or (node.handlers.publish is not None and not driver.is_admin):
            return None
        if not node.permission.permits(driver, "publish", channel):
            return None
        data, kind = _payload(driver, request)
        return give(channel, *self._prepared(driver, request, data, kind))

    async def for_session(self, driver: "Driver", request: PublishRequest) -> Position:
        """Ask whoever has a say, then publish."""
        node, channel, instead = self._node, request.channel, None
        if not node.permission.permits(driver, "publish", channel):
            instead = await node.permission.demand(driver, "publish", channel, data=request.data)
        data, kind = _payload(driver, request)
        if instead is not None:
            data, kind = bytes(instead), PayloadKind.JSON
        handler = node.handlers.publish
        if handler is not None and not driver.is_admin:
            sent = bytes(request.data) if driver.carries_bytes else None
            given = as_json(Publication(data, kind))
            changed = await node.patience.limited(handler(Client(driver), channel, data=given, sent=sent))
            if changed is not None:
                data, kind = payload_of(changed)
        return await node.broker.publish(channel, *self._prepared(driver, request, data, kind))

    async def for_guest(
        self, channel: str, data: bytes, kind: PayloadKind, *, event: str = "", key: str = ""
    ) -> Position:
        """Publish for somebody anonymous whom `refuses_guest` lets. Those share the scope of their idempotency keys."""
        tags = {EVENT_TAG: event} if event else None
        return await self.publish(channel, data, kind, tags=tags, idempotency_key=key)

    async def publish(
        self,
        channel: str,
        data: bytes,
        kind: PayloadKind,
        *,
        key: str = "",
        tags: dict[str, str] | None = None,
        info: ClientInfo | None = None,
        idempotency_key: str = "",
        publisher: str = "",
    ) -> Position:
        """Publish what was checked already; `publisher` is the scope of the idempotency key."""
        options = self._node.policy.options(channel)
        kept = self._kept(options, idempotency_key, publisher)
        publication = self._stamped(data, kind, options, info, tags, key)
        return await self._node.broker.publish(channel, publication, kept)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _prepared(
        self, driver: "Driver", request: PublishRequest, data: bytes, kind: PayloadKind
    ) -> tuple[Publication, PublishOptions]:
        """What a session publishes, and how it is kept."""
        session, wh = driver.session, request.wh
        info = None  # of somebody anonymous who came for one request there is nothing to say
        if session.user or not (driver.is_transient or driver.is_admin):
            info = ClientInfo(session.user, session.client, UNSET if session.info is None else session.info)
        options = self._node.policy.options(request.channel)
        if wh is None:
            return self._stamped(data, kind, options, info), self._kept(options)
        tags = {EVENT_TAG: checked_event(wh.event)} if wh.event else None
        # a key outlives the one request of an anonymous publisher over HTTP, so those share their keys
        nobody = "" if driver.is_transient else f"client:{session.client}"
        publisher = f"user:{session.user}" if session.user else nobody
        kept = self._kept(options, wh.key, publisher)
        return self._stamped(data, kind, options, info, tags), kept

    def _stamped(
        self,
        data: bytes,
        kind: PayloadKind,
        options: Namespace,
        info: ClientInfo | None = None,
        tags: dict[str, str] | None = None,
        key: str = "",
    ) -> Publication:
        """Check the size, stamp the time, count it."""
        if len(data) > options.publication_bytes:
            raise Refused(codes.LIMIT_EXCEEDED, f"a publication has at most {options.publication_bytes} bytes here")
        self._node.metrics.publications += 1
        return Publication(data, kind, 0, info, tags, int(self._node.clock.wall() * 1000), key)

    def _kept(self, options: Namespace, idempotency_key: str = "", publisher: str = "") -> PublishOptions:
        """How a broker keeps it. One value serves all publications of a namespace that have no key."""
        known = self._options.get(id(options))
        if known is None or known[0] is not options:
            known = self._options[id(options)] = (options, _publish_options(options, self._node.settings))
        if not idempotency_key:
            return known[1]
        if len(idempotency_key) > 256:
            raise Refused(codes.BAD_REQUEST, "an idempotency key has at most 256 characters")
        return msgspec.structs.replace(known[1], idempotency_key=idempotency_key, publisher=publisher)


def _payload(driver: "Driver", request: PublishRequest) -> tuple[bytes, PayloadKind]:
    kind = (request.wh or _PLAIN).kind
    if driver.carries_bytes:
        return published_bytes(bytes(request.data), kind)
    return published_payload(request.data, kind), kind


def _publish_options(options: Namespace, settings: Settings) -> PublishOptions:
    return PublishOptions(
        delivery=options.delivery,
        history_size=options.history_size,
        history_age=options.history_age,
        key_limit=options.key_limit,
        idempotency_seconds=settings.idempotency.keep,
    )
