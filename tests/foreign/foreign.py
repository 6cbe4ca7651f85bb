"""Clients that others wrote, behind one face: npm's `centrifuge` (by driver.mjs) and PyPI's `centrifuge-python`.

`events` are kept as the client emits them; payloads are JSON values, also of clients that speak Protobuf, where they
travel as the bytes of one (give `bytes` to send others). Every wait has a limit.
"""

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import centrifuge
from centrifuge import handlers

HERE = Path(__file__).parent
SECONDS = 8.0
JS = [
    "js-json-websocket",
    "js-json-sse",
    "js-json-http_stream",
    "js-protobuf-websocket",
    "js-protobuf-http_stream",
]
PYTHON = ["python-json", "python-protobuf"]
Event = dict[str, Any]


class ForeignError(Exception):
    """A client's call failed; `code` is the server's, or the client's own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


class Events:
    """What a client has emitted and nobody has asked for yet."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self._changed = asyncio.Event()

    def add(self, event: Event) -> None:
        self.seen.append(event)
        self._changed.set()

    async def next(self, name: str, timeout: float = SECONDS, **fields: Any) -> Event:
        """The first event of this name and with these fields; those before it stay."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    for event in self.seen:
                        if event["event"] == name and all(event.get(key) == value for key, value in fields.items()):
                            self.seen.remove(event)
                            return event
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"no {name} {fields} among {self.seen}") from None

    def names(self) -> list[str]:
        return [event["event"] for event in self.seen]


def as_value(data: Any) -> Any:
    """JSON for what is bytes of JSON; other bytes as they are."""
    if isinstance(data, dict) and "$bytes" in data:
        data = base64.b64decode(data["$bytes"])
    if isinstance(data, bytes):
        try:
            return json.loads(data)
        except ValueError:
            return data
    return data


class Driver:
    """The node process that holds all JavaScript clients."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._number = 0
        self._events: dict[str, Events] = {}
        self._results: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls) -> "Driver":
        process = await asyncio.create_subprocess_exec(
            "node",
            "driver.mjs",
            cwd=HERE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**22,
        )
        return cls(process)

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading

    def order(self, **fields: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fields).encode() + b"\n")

    def new(self) -> tuple[str, Events]:
        """An id for a client, and what it will emit."""
        self._number += 1
        name = f"client-{self._number}"
        self._events[name] = Events()
        return name, self._events[name]

    async def call(self, name: str, method: str, *args: Any, channel: str = "") -> Any:
        """Call a method of a client or of its subscription and wait for what it resolves to."""
        self._number += 1
        number = self._number
        self._results[number] = asyncio.get_running_loop().create_future()
        self.order(call=number, id=name, channel=channel, method=method, args=args)
        try:
            return await asyncio.wait_for(self._results[number], SECONDS)
        finally:
            del self._results[number]

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = json.loads(line)
            if "result" not in message:
                self._events[message["id"]].add(message)
                continue
            waiting = self._results.get(message["result"])
            if waiting is not None and not waiting.done():
                error = message.get("error")
                if error is not None:
                    waiting.set_exception(ForeignError(error.get("code", 0), error.get("message", "")))
                else:
                    waiting.set_result(message["value"])


class JsClient:
    """One client of npm's `centrifuge`."""

    def __init__(self, driver: Driver, address: str, *, build: str, transport: str, **options: Any) -> None:
        self._driver = driver
        self._is_protobuf = build == "protobuf"
        self._id, self.events = driver.new()
        self.id = ""
        if "data" in options:
            options["data"] = self._data(options["data"])
        driver.order(open=self._id, build=build, transport=transport, address=address, options=options)

    def subscribe(self, channel: str, **options: Any) -> None:
        options = {("joinLeave" if key == "join_leave" else key): value for key, value in options.items()}
        self._driver.order(subscribe=self._id, channel=channel, options=options)

    def _data(self, data: Any) -> Any:
        if isinstance(data, bytes):
            return {"$bytes": base64.b64encode(data).decode()}
        return self._data(json.dumps(data).encode()) if self._is_protobuf else data

    async def publish(self, channel: str, data: Any) -> None:
        await self._driver.call(self._id, "publish", channel, self._data(data))

    async def rpc(self, method: str, data: Any) -> Any:
        return as_value((await self._driver.call(self._id, "rpc", method, self._data(data)))["data"])

    async def send(self, data: Any) -> None:
        await self._driver.call(self._id, "send", self._data(data))

    async def presence(self, channel: str) -> dict[str, Any]:
        """User by client."""
        clients = (await self._driver.call(self._id, "presence", channel))["clients"]
        return {client: info.get("user", "") for client, info in clients.items()}

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        stats = await self._driver.call(self._id, "presenceStats", channel)
        return stats["numClients"], stats["numUsers"]

    async def history(self, channel: str, limit: int) -> list[tuple[int, Any]]:
        result = await self._driver.call(self._id, "history", channel, {"limit": limit})
        return [(each["offset"], as_value(each["data"])) for each in result["publications"]]

    async def unsubscribe(self, channel: str) -> None:
        await self._driver.call(self._id, "unsubscribe", channel=channel)

    async def close(self) -> None:
        self._driver.order(close=self._id)


class PythonClient:
    """One client of PyPI's `centrifuge-python`."""

    def __init__(self, address: str, *, is_protobuf: bool, **options: Any) -> None:
        self.events = Events()
        self.id = ""
        self._is_protobuf = is_protobuf
        tokens = options.pop("tokens", None)
        if tokens:
            options["get_token"] = _handing_out(tokens)
        if "data" in options:
            options["data"] = self._data(options["data"])
        self._client = centrifuge.Client(
            address.replace("http", "ws", 1) + "/connection/websocket",
            events=_ClientEvents(self.events.add),
            use_protobuf=is_protobuf,
            min_reconnect_delay=0.02,
            max_reconnect_delay=0.06,
            proxy=None,
            **options,
        )
        self._connecting = asyncio.create_task(self._client.connect())

    def _data(self, data: Any) -> Any:
        return json.dumps(data).encode() if self._is_protobuf and not isinstance(data, bytes) else data

    def subscribe(self, channel: str, **options: Any) -> None:
        tokens = options.pop("tokens", None)
        if tokens:
            options["get_token"] = _handing_out(tokens)
        subscription = self._client.new_subscription(
            channel,
            events=_SubscriptionEvents(self.events.add, channel),
            min_resubscribe_delay=0.02,
            max_resubscribe_delay=0.06,
            **options,
        )
        self._connecting = asyncio.create_task(self._after(self._connecting, subscription.subscribe))

    @staticmethod
    async def _after(task: asyncio.Task[None], call: Callable[[], Any]) -> None:
        await task
        await call()

    async def _limited(self, work: Any) -> Any:
        try:
            return await asyncio.wait_for(work, SECONDS)
        except centrifuge.exceptions.ReplyError as error:
            raise ForeignError(error.code, error.message) from None

    async def publish(self, channel: str, data: Any) -> None:
        await self._limited(self._client.publish(channel, self._data(data)))

    async def rpc(self, method: str, data: Any) -> Any:
        return as_value((await self._limited(self._client.rpc(method, self._data(data)))).data)

    async def presence(self, channel: str) -> dict[str, Any]:
        result = await self._limited(self._client.presence(channel))
        return {client: info.user for client, info in result.clients.items()}

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        stats = await self._limited(self._client.presence_stats(channel))
        return stats.num_clients, stats.num_users

    async def history(self, channel: str, limit: int) -> list[tuple[int, Any]]:
        result = await self._limited(self._client.history(channel, limit=limit))
        return [(each.offset, as_value(each.data)) for each in result.publications]

    async def unsubscribe(self, channel: str) -> None:
        subscription = self._client.get_subscription(channel)
        assert subscription is not None
        await subscription.unsubscribe()

    async def close(self) -> None:
        await self._connecting
        await self._client.disconnect()


def _handing_out(tokens: list[str]) -> Callable[..., Any]:
    left = list(tokens)

    async def get_token(*_: Any) -> str:
        return left.pop(0) if left else ""

    return get_token


class _ClientEvents(handlers.ClientEventHandler):
    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit

    async def on_connecting(self, ctx: Any) -> None:
        self._emit({"event": "connecting", "code": ctx.code, "reason": ctx.reason})

    async def on_connected(self, ctx: Any) -> None:
        self._emit({"event": "connected", "client": ctx.client, "data": ctx.data})

    async def on_disconnected(self, ctx: Any) -> None:
        self._emit({"event": "disconnected", "code": ctx.code, "reason": ctx.reason})

    async def on_subscribed(self, ctx: Any) -> None:
        self._emit({**_subscribed(ctx), "channel": ctx.channel})

    async def on_unsubscribed(self, ctx: Any) -> None:
        self._emit({"event": "unsubscribed", "channel": ctx.channel})

    async def on_publication(self, ctx: Any) -> None:
        self._emit(_publication(ctx.channel, ctx.pub))


class _SubscriptionEvents(handlers.SubscriptionEventHandler):
    def __init__(self, emit: Callable[[Event], None], channel: str) -> None:
        self._emit = emit
        self._channel = channel

    async def on_subscribing(self, ctx: Any) -> None:
        self._emit({"event": "subscribing", "channel": self._channel, "code": ctx.code})

    async def on_subscribed(self, ctx: Any) -> None:
        self._emit({**_subscribed(ctx), "channel": self._channel})

    async def on_unsubscribed(self, ctx: Any) -> None:
        self._emit({"event": "unsubscribed", "channel": self._channel, "code": ctx.code})

    async def on_publication(self, ctx: Any) -> None:
        self._emit(_publication(self._channel, ctx.pub))

    async def on_join(self, ctx: Any) -> None:
        self._emit({"event": "join", "channel": self._channel, "info": vars(ctx.info)})

    async def on_leave(self, ctx: Any) -> None:
        self._emit({"event": "leave", "channel": self._channel, "info": vars(ctx.info)})

    async def on_error(self, ctx: Any) -> None:
        self._emit({"event": "subscription_error", "channel": self._channel, "error": str(ctx.error)})


def _subscribed(ctx: Any) -> Event:
    return {"event": "subscribed", "wasRecovering": ctx.was_recovering, "recovered": ctx.recovered}


def _publication(channel: str, pub: Any) -> Event:
    info = {} if pub.info is None else vars(pub.info)
    return {
        "event": "publication",
        "channel": channel,
        "offset": pub.offset,
        "data": pub.data,
        "tags": pub.tags,
        "info": info,
    }
