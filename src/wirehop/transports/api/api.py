"""`POST /api/{method}`: the server API as HTTP, for programs that hold the key.

The shape is that of Centrifugo's HTTP API, so its client libraries work: the key in `X-API-Key` or
`Authorization: apikey KEY`, a JSON object in, and `{"result": …}` or `{"error": {"code", "message"}}` out, both with
status 200. A wrong key is 401, a body that is not JSON 400, an address that is no method 404. No CORS header is ever
sent: the key belongs on servers, and a page of another origin cannot even ask.

It knows HTTP and the names of methods. What they do is in `methods`.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Raw

from wirehop.abc import Exchange, Request
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.node.eager import run_eagerly
from wirehop.node.node import Node
from wirehop.transports.api import requests as asked
from wirehop.transports.api.methods import Methods, Result, decode, error_of
from wirehop.transports.door import JSON_TYPE, NO_STORE

log = logging.getLogger("wirehop.api")

PREFIX = "/api/"
MOST_COMMANDS = 1_000
"""Commands in one batch."""


class Api:
    """Implements `abc.Transport`."""

    name = "api"

    def __init__(self, node: Node, key: str) -> None:
        if not key:
            raise ValueError("the server API needs a key")
        self._node = node
        self._key = key.encode()
        methods = Methods(node)
        self._methods: dict[str, tuple[type[object], Callable[[Any], Awaitable[Result]]]] = {
            "publish": (asked.Publish, methods.publish),
            "broadcast": (asked.Broadcast, methods.broadcast),
            "subscribe": (asked.Subscribe, methods.subscribe),
            "unsubscribe": (asked.Unsubscribe, methods.unsubscribe),
            "disconnect": (asked.Disconnect, methods.disconnect),
            "refresh": (asked.Refresh, methods.refresh),
            "presence": (asked.OfChannel, methods.presence),
            "presence_stats": (asked.OfChannel, methods.presence_stats),
            "history": (asked.History, methods.history),
            "channels": (asked.Channels, methods.channels),
            "info": (asked.Nothing, methods.info),
        }

    def open(self, exchange: Exchange) -> None:
        """Serve one request below `/api/`."""
        request = exchange.request
        method = request.path.removeprefix(PREFIX)
        if not self._is_allowed(request):
            self._node.metrics.api["unauthorized", codes.UNAUTHORIZED.number] += 1
            _refuse(exchange, 401, Refused(codes.UNAUTHORIZED), ("WWW-Authenticate", "apikey"))
        elif not self._is_known(method):
            _refuse(exchange, 404, Refused(codes.METHOD_NOT_FOUND, f"the API has no method {method[:64]!r}"))
        elif request.method != "POST":
            _refuse(exchange, 405, Refused(codes.BAD_REQUEST, "the API takes POST"), ("Allow", "POST"))
        else:
            self._serve(exchange, method, request.body or b"{}")

    def _serve(self, exchange: Exchange, method: str, body: bytes) -> None:
        try:
            msgspec.json.decode(body, type=Raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._node.metrics.api[method, codes.BAD_REQUEST.number] += 1
            _refuse(exchange, 400, Refused(codes.BAD_REQUEST, f"the body is not JSON: {error}"))
            return
        work = self._batch(body) if method == "batch" else self._answer(method, body)

        def done(answer: Result) -> None:
            exchange.respond(200, [JSON_TYPE, NO_STORE], msgspec.json.encode(answer))

        run_eagerly(work, done, self._node.spawn)

    def _is_allowed(self, request: Request) -> bool:
        given = request.headers.get("x-api-key", "")
        if not given:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "apikey":
                return False
        return hmac.compare_digest(given.strip().encode(), self._key)

    async def _answer(self, method: str, data: bytes | Raw) -> Result:
        """The answer to one command: a result or an error."""
        number = 0
        try:
            return {"result": await self._result(method, data)}
        except Refused as refusal:
            number = refusal.code.number
            return error_of(refusal)
        except Exception:
            number = codes.INTERNAL.number
            self._node.metrics.errors["api"] += 1
            log.exception("%s failed", method)
            return error_of(Refused(codes.INTERNAL))
        finally:
            self._node.metrics.api[method if self._is_known(method) else "unknown", number] += 1

    def _is_known(self, method: str) -> bool:
        return method in self._methods or method in asked.ELSEWHERE or method == "batch"

    async def _result(self, method: str, data: bytes | Raw) -> Result:
        if method in asked.ELSEWHERE:
            raise Refused(codes.NOT_AVAILABLE, f"not available: this server does not have {method}")
        known = self._methods.get(method)
        if known is None:
            raise Refused(codes.METHOD_NOT_FOUND, f"the API has no method {method[:64]!r}")
        kind, call = known
        return await call(decode(data, kind))

    async def _batch(self, data: bytes) -> Result:
        """One reply for each command, in order: an object with the method's name, or with `error`."""
        try:
            batch = decode(data, asked.Batch)
            if not 0 < len(batch.commands) <= MOST_COMMANDS:
                raise Refused(codes.BAD_REQUEST, f"a batch has 1 to {MOST_COMMANDS} commands")
            for command in batch.commands:
                if len(command) != 1 or "batch" in command:
                    raise Refused(codes.BAD_REQUEST, "each command of a batch is an object with one key, its method")
        except Refused as refusal:
            self._node.metrics.api["batch", refusal.code.number] += 1
            return error_of(refusal)
        self._node.metrics.api["batch", 0] += 1
        commands = [next(iter(command.items())) for command in batch.commands]
        if batch.parallel:
            answers = await asyncio.gather(*(self._answer(method, value) for method, value in commands))
        else:
            answers = [await self._answer(method, value) for method, value in commands]
        return {
            "replies": [
                {method: answer["result"]} if "result" in answer else answer
                for (method, _), answer in zip(commands, answers, strict=True)
            ]
        }


def _refuse(exchange: Exchange, status: int, refusal: Refused, *extra: tuple[str, str]) -> None:
    exchange.respond(status, [JSON_TYPE, NO_STORE, *extra], msgspec.json.encode(error_of(refusal)))
