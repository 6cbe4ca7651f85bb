"""POST to a channel's URL: publish the body, and answer with its position.

Where nobody has to be asked about somebody anonymous, it goes straight to the node; otherwise through a session that
lives for the request, as everything else here.
"""

import logging

import msgspec
from msgspec import Raw

from wirehop.abc import Exchange, IdempotencyConflict
from wirehop.codecs.payload import checked_event
from wirehop.core import codes
from wirehop.core.errors import BadMessage, Refused
from wirehop.core.messages import Command, PayloadKind, PublishRequest, PublishWh, Reply
from wirehop.node.eager import run_eagerly
from wirehop.transports.channels.ask import Ask
from wirehop.transports.channels.payloads import body_bytes, body_payload
from wirehop.transports.channels.requests import ASKED, NAME, RequestWire
from wirehop.transports.channels.wire import Host

log = logging.getLogger("wirehop.channels")


class Publishing:
    """Serves the POSTs of all channels."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._node = host.node

    def open(self, exchange: Exchange, ask: Ask) -> None:
        """Publish. Raises `BadMessage` and `PayloadError` for what cannot be."""
        if not ask.is_single:
            raise BadMessage("publish to one channel at a time")
        request, channel = exchange.request, ask.channels[0]
        headers = request.headers
        event, key = headers.get("event-name", ""), headers.get("idempotency-key", "")
        if event:
            checked_event(event)
        content_type = headers.get("content-type", "")
        if self._host.is_by_nobody(request) and self._node.effects.asks_nobody("publish"):
            data, kind = body_bytes(request.body, content_type)
            work = self._publish(exchange, channel, data, kind, event=event, key=key)
            run_eagerly(work, lambda _none: None, self._node.spawn)
            return
        value, kind = body_payload(request.body, content_type)
        command = Command(ASKED, publish=PublishRequest(channel, Raw(value), PublishWh(key, event, kind)))
        RequestWire(self._host, exchange, command, self._published).start(ask)

    async def _publish(
        self, exchange: Exchange, channel: str, data: bytes, kind: PayloadKind, *, event: str, key: str
    ) -> None:
        node, host = self._node, self._host
        node.metrics.received[NAME] += 1
        refusal = node.effects.refuses_guest("publish", channel)
        if refusal is not None:
            host.refuse(exchange, refusal.code.number, refusal.message)
            return
        try:
            position = await node.publishing.for_guest(channel, data, kind, event=event, key=key)
        except Refused as refused:
            host.refuse(exchange, refused.code.number, refused.message)
        except IdempotencyConflict as conflict:
            host.refuse(exchange, codes.BAD_REQUEST.number, str(conflict))
        except Exception:
            node.metrics.errors["effect"] += 1
            log.exception("a POST to %s could not be published", channel)
            host.refuse(exchange, codes.INTERNAL.number, "")
        else:
            self._answer(exchange, position.offset, position.epoch)

    def _published(self, exchange: Exchange, reply: Reply) -> None:
        position = reply.publish.wh if reply.publish is not None else None
        if position is None:
            self._host.door.json(exchange, 201, b"{}")
        else:
            self._answer(exchange, position.offset, position.epoch)

    def _answer(self, exchange: Exchange, offset: int, epoch: str) -> None:
        self._node.metrics.sent[NAME] += 1
        self._host.door.json(exchange, 201, msgspec.json.encode({"offset": offset, "epoch": epoch}))
