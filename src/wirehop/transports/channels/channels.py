"""`/channels/{name}` and `/channels?name=a&name=b`: which of a channel's forms a request asks for.

GET, Upgrade: websocket            SocketWire
GET, Accept: text/event-stream     EventWire
GET, ?wait=                        LongPollWire (wait=0: short poll, with ETag)
GET                                a page of history
POST                               publish
GET …/presence                     who is there
"""

import msgspec

from wirehop.abc import Exchange
from wirehop.codecs.cursor import encode_position
from wirehop.codecs.json_lines import encode_publication
from wirehop.core import codes
from wirehop.core.errors import BadMessage, PayloadError
from wirehop.core.messages import (
    Command,
    HistoryRequest,
    Position,
    PresenceRequest,
    Reply,
)
from wirehop.node.node import Node
from wirehop.transports.channels.ask import Ask, etag, names, read_ask
from wirehop.transports.channels.events import EventWire
from wirehop.transports.channels.longpoll import LongPollWire
from wirehop.transports.channels.polls import Polls
from wirehop.transports.channels.publishing import Publishing
from wirehop.transports.channels.requests import ASKED, RequestWire
from wirehop.transports.channels.socket import SocketWire
from wirehop.transports.channels.waiting import poll_body
from wirehop.transports.channels.wire import Host
from wirehop.transports.door import EVENT_STREAM_HEADERS, Door, parameters
from wirehop.transports.jsonp import SCRIPT_HEADERS, is_callback, script

PREFIX = "/channels"
PRESENCE = "/presence"
METHODS = "GET, HEAD, POST, OPTIONS"


class ChannelTransport:
    """Implements `abc.Transport`. `allows_jsonp`: whether `?callback=` is answered."""

    name = "channels"

    def __init__(self, node: Node, door: Door, *, allows_jsonp: bool) -> None:
        self._host = Host(node, door)
        self._door = door
        self._allows_jsonp = allows_jsonp
        self._publishing = Publishing(self._host)
        self._polls = Polls(self._host, self._polled)

    def open(self, exchange: Exchange) -> None:
        """Serve one request of a channel URL."""
        request = exchange.request
        if request.method == "GET" and self._polls.opens_again(exchange):
            return
        if request.method == "OPTIONS":
            self._door.preflight(exchange, METHODS)
            return
        if request.method not in ("GET", "HEAD", "POST"):
            self._door.wrong_method(exchange, METHODS)
            return
        if not self._door.admits(exchange):
            return
        try:
            self._serve(exchange)
        except BadMessage as error:
            self._door.refuse(exchange, codes.BAD_REQUEST, error.reason)
        except PayloadError as error:
            self._door.refuse(exchange, error.code, error.message)

    def _serve(self, exchange: Exchange) -> None:
        request = exchange.request
        path = request.path.removeprefix(PREFIX).removeprefix("/")
        if path.endswith(PRESENCE) and len(path) > len(PRESENCE):
            if request.method == "POST":
                self._door.wrong_method(exchange, "GET, HEAD, OPTIONS")
            else:
                self._presence(exchange, path.removesuffix(PRESENCE))
            return
        channels = (path,) if path else tuple(parameters(request).get("name", ()))
        ask = read_ask(request, channels)
        if request.method == "POST":
            self._publishing.open(exchange, ask)
        elif "websocket" in request.headers.get("upgrade", "").lower():
            if not ask.is_single:
                raise BadMessage("a WebSocket carries one channel")
            SocketWire(self._host, ask).start(exchange)
        elif "text/event-stream" in request.headers.get("accept", ""):
            if request.method == "HEAD":
                exchange.respond(200, [*EVENT_STREAM_HEADERS, *self._door.cors(exchange)])
            else:
                EventWire(self._host, exchange, ask).start()
        elif ask.callback and not (self._allows_jsonp and is_callback(ask.callback)):
            raise BadMessage(
                "callback is not the name of a function" if self._allows_jsonp else "JSONP is switched off"
            )
        elif ask.wait is not None and request.method == "GET" and self._polls.takes(exchange, ask):
            self._polls.open(exchange, ask, tuple(self._door.cors(exchange)))
        elif ask.wait is not None:
            LongPollWire(self._host, exchange, ask, lambda *answer: self._polled(ask, *answer)).start()
        else:
            self._history(exchange, ask)

    # ---- polls
    # ---------------------------------------------------------------------------------------------------------

    def _polled(self, ask: Ask, exchange: Exchange, cursor: str, publications: bytes, is_recovered: bool) -> None:
        body = poll_body(cursor, publications, is_recovered=is_recovered)
        if ask.callback:
            exchange.respond(200, SCRIPT_HEADERS, script(ask.callback, body))
            return
        tag = etag(cursor)
        if (
            not ask.wait
            and is_recovered
            and not publications
            and names(exchange.request.headers.get("if-none-match", ""), tag)
        ):
            exchange.respond(304, [("ETag", tag), ("Cache-Control", "no-cache"), *self._door.cors(exchange)])
            return
        caching = "no-cache" if not ask.wait else "no-store"
        headers = [("Content-Type", "application/json"), ("Cache-Control", caching), ("ETag", tag)]
        exchange.respond(200, [*headers, *self._door.cors(exchange)], body)

    # ---- single requests
    # -------------------------------------------------------------------------------------------------

    def _history(self, exchange: Exchange, ask: Ask) -> None:
        if not ask.is_single:
            raise BadMessage("history is read one channel at a time")
        since = ask.positions.get(ask.channels[0])
        if ask.cursor and since is None:
            raise BadMessage("this cursor is not one")
        request = HistoryRequest(ask.channels[0], ask.limit, since, ask.reverse)

        def done(exchange: Exchange, reply: Reply) -> None:
            history = reply.history
            assert history is not None
            publications = b",".join([encode_publication(publication) for publication in history.publications])
            top = encode_position(Position(history.epoch, history.offset))
            body = b'{"cursor":%b,"epoch":%b,"offset":%d,"publications":[%b]}' % (
                msgspec.json.encode(top), msgspec.json.encode(history.epoch), history.offset, publications,
            )  # fmt: skip
            if ask.callback:
                exchange.respond(200, SCRIPT_HEADERS, script(ask.callback, body))
            else:
                self._door.json(exchange, 200, body)

        RequestWire(self._host, exchange, Command(ASKED, history=request), done).start(ask)

    def _presence(self, exchange: Exchange, channel: str) -> None:
        ask = read_ask(exchange.request, (channel,))

        def done(exchange: Exchange, reply: Reply) -> None:
            self._door.json(exchange, 200, msgspec.json.encode(reply.presence))

        command = Command(ASKED, presence=PresenceRequest(channel))
        RequestWire(self._host, exchange, command, done).start(ask)
