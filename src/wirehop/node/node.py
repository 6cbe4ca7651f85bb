"""`Node`: the server object of an application. It knows channels and handlers, and nothing of HTTP."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, TypeVar

from msgspec import structs

from wirehop.abc import Broker, Clock, Ids, Peer, PresenceStore, PublishAtOnce
from wirehop.auth.auth import Auth
from wirehop.auth.policy import Policy
from wirehop.auth.rights import Credential
from wirehop.brokers.memory import MemoryBroker
from wirehop.codecs.json_lines import encode_reply
from wirehop.codecs.payload import EVENT_TAG, checked_event, payload_of
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.errors import PayloadError, SettingsError
from wirehop.core.messages import ClientInfo, Move, PayloadKind, Position, Reply
from wirehop.core.recovery import HistoryPage
from wirehop.core.session import Session
from wirehop.core.slot import Slot
from wirehop.hub import Hub
from wirehop.node.admission import Admission
from wirehop.node.clock import SecretIds, SystemClock
from wirehop.node.driver import Driver
from wirehop.node.effects import Effects
from wirehop.node.handlers import Handler, Handlers
from wirehop.node.interest import Interest
from wirehop.node.metrics import Metrics
from wirehop.node.participants import Participants
from wirehop.node.patience import Patience
from wirehop.node.permission import Permission
from wirehop.node.publishing import Publishing
from wirehop.node.resumption import Resumption
from wirehop.node.terms import HeartbeatStyle, SessionTerms, limits_of
from wirehop.node.threads import run_on
from wirehop.node.tops import compare_tops_forever
from wirehop.node.users import Users
from wirehop.node.wheel import Wheel
from wirehop.node.wire import Guests, Wire
from wirehop.rtc.rooms import ICE, SIGNAL, Rooms
from wirehop.settings.check_auth import contradictions_of_auth
from wirehop.settings.tree import Namespace, Settings

log = logging.getLogger("wirehop.node")
T = TypeVar("T")

Vouch = Callable[[str, str], float | None]
"""Asked with a token of the admin page and the client's id: the seconds for which the session may do everything
(0: without end), None for a token that is no good. The admin page puts it into `Node.vouch`."""


def _must(broker: MemoryBroker | None) -> MemoryBroker:
    assert broker is not None
    return broker


class Node:
    """One server process.

    `settings` is the whole tree; `namespaces` is the short way to say only those. `broker` (default: what the settings'
    URL names), `clock` and `ids` can be given by tests.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        namespaces: Mapping[str, Namespace] | None = None,
        broker: Broker | None = None,
        presence_store: PresenceStore | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self.settings = settings or Settings()
        if namespaces is not None:
            self.settings = structs.replace(self.settings, namespaces={**self.settings.namespaces, **namespaces})
        self.clock: Clock = clock or SystemClock()
        self.ids: Ids = ids or SecretIds()
        self.limits = limits_of(self.settings)
        self.policy = Policy(self.settings.namespaces)
        self.metrics = Metrics()
        self.handlers = Handlers()
        self.auth = Auth(self.settings.auth, self.clock, self.ids)
        self.admission = Admission(self)
        self.permission = Permission(self)
        self.effects = Effects(self)
        self.publishing = Publishing(self)
        self.interest = Interest(self)
        self.hub = Hub(self._later, lambda channel: self.policy.options(channel).coalesce, clock=self.clock.now)
        self.wheel = Wheel(self.clock.now, self._later)
        self.resumption = Resumption(self)
        self.wire_paths: dict[str, str] = {}  # of the wires that are offered, by name
        self._own_broker, self._own_presence = broker is None, presence_store is None
        self._choose_broker(broker, presence_store)
        self.id = self.ids.new()
        self.sessions: dict[str, Driver] = {}
        self.users = Users(self)
        self.rooms = Rooms(Participants(self), self.clock, self.settings.rtc)
        self.handlers.register_method(ICE, self.rooms.ice)
        self.handlers.register_method(SIGNAL, self.rooms.signal)
        self.vouch: Vouch | None = None
        self.patience = Patience(self.settings.limits.handler_timeout)
        self._terms = SessionTerms(self.settings, self.limits, node=self.id, wires=self.wire_paths)
        self.guests: list[Guests] = []  # who is there without a session, by transport
        self.is_draining = False
        self.is_open = False
        self._connections: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def use(self, settings: Settings) -> None:
        """Take other settings, before `start`: how `wirehop serve` gives its own to an application's node."""
        if self.is_open:
            raise RuntimeError("the node runs already")
        self.settings = settings
        self.limits = limits_of(settings)
        self._terms = SessionTerms(settings, self.limits, node=self.id, wires=self.wire_paths)
        self.patience = Patience(settings.limits.handler_timeout)
        self.policy = Policy(settings.namespaces)
        self.auth = Auth(settings.auth, self.clock, self.ids)
        self.rooms.use(settings.rtc)
        self._choose_broker(
            None if self._own_broker else self.broker, None if self._own_presence else self.presence_store
        )

    # ---- handlers
    # ------------------------------------------------------------------------------------------------------

    def on_connect(self, handler: Handler) -> Handler:
        """`async def (connecting: Connecting) -> User | None`: who is this? None is anonymous; raise `Refused` to
        refuse."""
        return self.handlers.register("connect", handler)

    def on_subscribe(self, handler: Handler) -> Handler:
        """`async def (client: Client, channel: str)`: called after the namespace has said yes; raise `Refused` to
        refuse."""
        return self.handlers.register("subscribe", handler)

    def on_publish(self, handler: Handler) -> Handler:
        """`async def (client: Client, channel: str, data: T)`: return other data to replace it; raise `Refused` to
        refuse."""
        return self.handlers.register("publish", handler)

    def on_refresh(self, handler: Handler) -> Handler:
        """`async def (client: Client, token: str) -> float`: the seconds that the session lives from now (0: without
        end); raise `Refused` to refuse."""
        return self.handlers.register("refresh", handler)

    def on_disconnect(self, handler: Handler) -> Handler:
        """`async def (client: Client, code: int, reason: str)`: the session is over."""
        return self.handlers.register("disconnect", handler)

    def on_message(self, handler: Handler) -> Handler:
        """`async def (client: Client, data: T)`: the client sent something that wants no reply."""
        return self.handlers.register("message", handler)

    def rpc(self, name: str) -> Callable[[Handler], Handler]:
        """`@node.rpc("name")` on `async def (client: Client, data: T) -> result`."""
        return lambda handler: self.handlers.register_method(name, handler)

    # ---- what an application does
    # --------------------------------------------------------------------------------------

    async def publish(
        self,
        channel: str,
        data: object,
        *,
        key: str = "",
        event: str = "",
        tags: Mapping[str, str] | None = None,
        idempotency_key: str = "",
    ) -> Position:
        """Publish to everybody in the channel; the position it got (offset 0 in `signal` channels).

        `data` is anything JSON can hold, `msgspec.Raw` for JSON as it stands, or `bytes` for binary. `key` is the
        value's key in a `latest` channel, `event` the event name for event streams. Raises `Refused` (106 too large,
        107 not a payload) and `IdempotencyConflict`.
        """
        payload, kind = payload_of(data)
        return await self.publish_payload(
            channel,
            payload,
            kind,
            key=key,
            event=event,
            tags=tags,
            idempotency_key=idempotency_key,
            publisher="server",
        )

    async def publish_payload(
        self,
        channel: str,
        payload: bytes,
        kind: PayloadKind,
        *,
        key: str = "",
        event: str = "",
        tags: Mapping[str, str] | None = None,
        info: ClientInfo | None = None,
        idempotency_key: str = "",
        publisher: str = "",
    ) -> Position:
        """The same for a payload that was checked already; `publisher` is the scope of the idempotency key."""
        if not channel or len(channel.encode()) > self.limits.channel_bytes or not channel.isprintable():
            raise PayloadError(f"not a channel's name: {channel[:64]!r}")
        all_tags = dict(tags or {})
        if event:
            all_tags[EVENT_TAG] = event
        if EVENT_TAG in all_tags:  # it is written into event streams as it stands
            checked_event(all_tags[EVENT_TAG])
        return await self.publishing.publish(
            channel,
            payload,
            kind,
            key=key,
            tags=all_tags or None,
            info=info,
            idempotency_key=idempotency_key,
            publisher=publisher,
        )

    async def history(
        self, channel: str, since: Position | None = None, *, limit: int = 100, reverse: bool = False
    ) -> HistoryPage:
        """A page of the channel's history."""
        return await self.broker.history(channel, since, limit=limit, max_bytes=self.limits.page_bytes, reverse=reverse)

    async def presence(self, channel: str) -> Mapping[str, ClientInfo]:
        """Who is in the channel, by client id."""
        return (await self.presence_store.members(channel))[0]

    def sessions_of(self, user: str, *, client: str = "") -> "list[Driver]":
        """The connected sessions of a user on this node; with `client` only that one (also of somebody anonymous)."""
        return self.users.drivers(user, client)

    @property
    def user_count(self) -> int:
        """How many users are connected to this node."""
        return len(self.users)

    def subscribe(
        self, user: str, channel: str, *, client: str = "", since: Position | None = None, data: object = None
    ) -> int:
        """Subscribe a user's sessions on this node to a channel, whatever its namespace says; how many. `since`:
        from this position on, where history still reaches back to it. `data` goes to the clients."""
        return self.users.subscribe(user, client, channel, self.permission.grant(channel, data=data), since)

    def unsubscribe(self, user: str, channel: str, *, client: str = "", code: Code = codes.UNSUBSCRIBED) -> int:
        """End the subscriptions of a user's sessions on this node to a channel; how many sessions were told."""
        return self.users.unsubscribe(user, client, channel, code)

    def refresh(self, user: str, *, client: str = "", ttl: float) -> int:
        """Let a user's sessions on this node live `ttl` seconds from now (0: without end); how many."""
        return self.users.refresh(user, client, ttl)

    def disconnect_user(
        self,
        user: str,
        *,
        client: str = "",
        code: Code = codes.FORCE_DISCONNECT,
        reason: str = "",
        whitelist: Collection[str] = (),
    ) -> int:
        """End a user's sessions on this node, but for the clients in `whitelist`; how many."""
        return self.users.disconnect(user, client, code, reason, whitelist)

    def disconnect(self, client: str, code: Code = codes.FORCE_DISCONNECT, reason: str = "") -> bool:
        """End a session of this node, also one that waits for a wire; False if there is none with this id."""
        driver, lasting = self.sessions.get(client), self.resumption.find(client)
        if driver is not None:
            driver.end(code, reason)
        elif lasting is not None:
            lasting.end(code, reason)
        return driver is not None or lasting is not None

    def move(
        self, user: str, *, client: str = "", to: Collection[str] = (), spread: float = 0.0, reason: str = ""
    ) -> int:
        """Ask a user's sessions on this node to go on over another wire: one of `to` (names of transports; none: any
        other), each at a moment of its own within `spread` seconds. They lose nothing by it. How many were asked; who
        speaks the protocol without `wh` cannot."""
        return self.users.move(user, client, Move(tuple(to), round(spread * 1000), reason))

    def revoke(self, *, user: str = "", token_id: str = "", before: float | None = None) -> int:
        """Revoke tokens: the one with the id `token_id`; those of `user`, or of everybody, that were issued before a
        Unix time (`before`; for a user: now). Their sessions on this node end at once with 3500, subscriptions by such
        tokens with 2000, and such tokens are refused from now on, for `auth.revocation_age`. A user's sessions without
        a token end too. How many sessions ended.

        Raises ValueError for nothing to revoke, and `Refused` (106) where no more revocations can be remembered.
        """
        return self.admission.revoke(user=user, token_id=token_id, before=before)

    def run_threadsafe(self, work: Coroutine[Any, Any, T], *, timeout: float = 10.0) -> T:
        """From another thread: `node.run_threadsafe(node.publish("news", data))` blocks until it is done and returns
        its result. Raises `LocalProtocolError` before `start` and on the loop's own thread (`await` it there), and
        `TimeoutError` after `timeout` seconds."""
        return run_on(self._loop if self.is_open else None, work, timeout=timeout)

    # ---- lifecycle
    # -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the broker. To be called on the loop that will serve."""
        if self.is_open:
            return
        for key, problem in contradictions_of_auth(self.settings):  # settings made by code were not checked yet
            raise SettingsError(f"{key} {problem}", key=key)
        self._loop = asyncio.get_running_loop()
        self.is_draining = False
        self.wheel = Wheel(self.clock.now, self._later)  # after a stop: the old one's timer went with its loop
        await self.broker.open(self.hub)
        self.is_open = True
        self.spawn(compare_tops_forever(self))

    async def drain(self, seconds: float) -> None:
        """End all sessions with 3001, paced evenly over `seconds`, so that their clients do not all return at once."""
        self.is_draining = True
        drivers = list(self.sessions.values())
        guests = [end for each in self.guests for end in each.ends()]
        pause = seconds / (len(drivers) + len(guests)) if drivers or guests else 0.0
        due = self.clock.now()
        for driver in drivers:
            if driver.wire is None:
                continue  # it went by itself
            if (wait := due - self.clock.now()) > 0.005:
                await asyncio.sleep(wait)
            driver.end(codes.SHUTDOWN)
            due += pause
        for end in guests:
            if (wait := due - self.clock.now()) > 0.005:
                await asyncio.sleep(wait)
            end()
            due += pause

    async def stop(self) -> None:
        """End what is left at once, and close the broker."""
        self.is_draining = True
        before = set(self._tasks)
        for driver in list(self.sessions.values()):
            driver.end(codes.SHUTDOWN)
        self.resumption.end_all(codes.SHUTDOWN)
        for end in [end for each in self.guests for end in each.ends()]:
            end()
        if farewells := self._tasks - before:  # handlers that hear of the ends
            await asyncio.wait(farewells, timeout=1.0)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=1.0)
        self.auth.close()
        await self.broker.close()
        self.is_open = False

    # ---- for transports
    # ------------------------------------------------------------------------------------------------

    def open_session(
        self,
        wire: Wire,
        *,
        transport: str,
        peer: Peer,
        heartbeat: HeartbeatStyle = "pong",
        has_secret: bool = False,
        is_transient: bool = False,
        carries_bytes: bool = False,
        credential: Credential = "",
        is_bare: bool = False,
    ) -> Driver:
        """A new session on a new wire. It waits for `connect`. `is_transient`: it lives for one request, so it enters
        no presence and no `on_disconnect` hears of it. `carries_bytes`: payloads on the wire are bytes, not JSON.
        `credential`: what the wire brought, for a connect without a token. `is_bare`: a channel's URL, which the server
        subscribes to nothing."""
        terms = self._terms.of(heartbeat)
        secret = self.ids.new() if has_secret else ""
        session = Session(self.ids.new(), terms, now=self.clock.now(), secret=secret)
        driver = Driver(
            self, session, wire, wire_name=transport, peer=peer, is_transient=is_transient, carries_bytes=carries_bytes
        )
        driver.credential, driver.is_bare = credential, is_bare
        self.sessions[session.client] = driver
        self._connections[transport] += 1
        self.metrics.opened[transport] += 1
        driver.arm()
        if log.isEnabledFor(logging.DEBUG):
            log.debug("> session=%s opened over %s from %s", session.client, transport, peer.address)
        return driver

    @staticmethod
    def driver_of(slot: Slot) -> Driver:
        """Who drives the session that a slot belongs to."""
        assert isinstance(slot.owner, Driver)
        return slot.owner

    def admitted(self, driver: Driver) -> None:
        """A session knows its user now."""
        self.users.enter(driver)

    def forget(self, driver: Driver, code: int, reason: str) -> None:
        """A session is over."""
        self.wheel.dismiss(driver)
        if self.sessions.get(driver.key) is driver:
            del self.sessions[driver.key]
        self.users.leave(driver)
        self._connections[driver.wire_name] -= 1
        self.metrics.closed[driver.wire_name, code] += 1
        level = logging.DEBUG if driver.is_transient else logging.INFO
        log.log(
            level,
            "= session=%s user=%s wire=%s closed code=%d reason=%s",
            driver.session.client, driver.session.user or "-", driver.wire_name, code, reason,
        )  # fmt: skip
        if driver.lasting is None:  # else it may go on over another wire
            self.effects.disconnected(driver, code, reason)

    def connections(self) -> dict[str, int]:
        """Open sessions and guests by transport."""
        found = self._connections + Counter[str]()
        for guests in self.guests:
            found[guests.name] += guests.count
        return {name: count for name, count in found.items() if count}

    @property
    def population(self) -> int:
        """Sessions and guests."""
        return len(self.sessions) + sum(guests.count for guests in self.guests)

    def messages_out(self) -> Counter[str]:
        """Everything written, by transport."""
        out = self.metrics.sent + self.metrics.caught_up
        for lane, count in self.hub.delivered.items():
            out[lane.name] += count
        return out

    def reply_size(self, reply: Reply) -> int:
        """Bytes that a waiting reply counts for."""
        return len(encode_reply(reply))

    def soon(self, callback: Callable[[], None]) -> None:
        """Call it at the end of this turn of the loop."""
        self._later(0, callback)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` as a task of the node. A failure is logged; it never passes silently."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    # ---- inside
    # --------------------------------------------------------------------------------------------------------

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.metrics.errors["task"] += 1
            log.error("a task of the node failed", exc_info=error)

    def _later(self, delay: float, callback: Callable[[], None]) -> object:
        loop = self._loop or asyncio.get_running_loop()
        return loop.call_later(delay, callback) if delay > 0 else loop.call_soon(callback)

    def _choose_broker(self, broker: Broker | None, presence_store: PresenceStore | None) -> None:
        """Those that were given, else what the settings name."""
        memory = self._memory_broker() if broker is None or presence_store is None else None
        self.broker: Broker = broker if broker is not None else _must(memory)
        self.presence_store: PresenceStore = presence_store if presence_store is not None else _must(memory)
        self.publish_at_once: PublishAtOnce | None = getattr(self.broker, "publish_at_once", None)

    def _memory_broker(self) -> MemoryBroker:
        url = self.settings.broker.url
        if url != "memory://":
            raise SettingsError(f"there is no broker for {url!r}; this version has memory://", key="broker.url")
        return MemoryBroker(self.clock, self.ids, max_channels=self.settings.limits.channels)
