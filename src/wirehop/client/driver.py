"""Drives the client's machine on asyncio: feeds it, drains it, keeps its time, lends it wires, and brings what comes
of it to whoever asked.

Change once, drain fully, then wait: `_run` is the one place that calls `take`. What a wire says counts only while the
machine has it, so a late word of a lost wire does nothing. Which kind of wire is opened is said by `Choice`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from wirehop.client.choice import Choice
from wirehop.client.errors import ClientClosed, RequestFailed, WireLost
from wirehop.client.machine import ClientMachine
from wirehop.client.messages import ClientReply
from wirehop.client.outputs import (
    Answered,
    CallArrived,
    ClientOutput,
    CloseWire,
    Delivered,
    MessageArrived,
    Moved,
    OpenWire,
    Pong,
    PresenceChanged,
    RefreshWanted,
    StateChanged,
    Subscribed,
    Synced,
    Transmit,
    TrialFailed,
    Unsubscribed,
)
from wirehop.client.states import ClientState
from wirehop.client.subscribers import Subscriber, Subscribers, tell
from wirehop.client.wire import Wire
from wirehop.core import codes
from wirehop.core.messages import Command, Error, Position

log = logging.getLogger("wirehop.client")
FINISH_SECONDS = 1.0
"""For the last words of a session that ends in order."""
Handler = Callable[[Any], Awaitable[object]]
"""Answers a call of the server."""


class _Wired(Struct):
    """A wire and the task that runs it; `began` is when it was opened."""

    wire: Any
    name: str
    began: float
    task: Any = None
    is_connected: bool = False


class Driver:
    """One machine and its wires. `make_wire(name)` makes a wire of a kind, `names` are the kinds in the order in which
    they are tried. `on_state`, `on_message` and `on_moved` are called in the loop and must not block. `fresh_token` is
    asked for a token before each connect, and when the session is about to expire.
    """

    def __init__(
        self,
        machine: ClientMachine,
        make_wire: Callable[[str], Wire],
        *,
        names: Sequence[str] = ("websocket",),
        on_state: Callable[[StateChanged], None] | None = None,
        on_message: Callable[[bytes], None] | None = None,
        on_moved: Callable[[Moved], None] | None = None,
        fresh_token: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self.last = StateChanged(ClientState.IDLE)
        self.choice = Choice(names)
        self.handlers: dict[str, Handler] = {}
        self.is_synced = True
        self.moves = 0  # to another wire, the session going on
        self.failed_moves = 0
        self._on_moved = on_moved
        self._fresh_token = fresh_token
        self._silent = ""  # the kind of the wire that was closed last
        self.is_closed_by_application = False
        self._machine = machine
        self._make_wire = make_wire
        self._on_state = on_state
        self._on_message = on_message
        self._subscribers = Subscribers()
        self._calls: dict[int, asyncio.Future[ClientReply]] = {}
        self._wires: dict[int, _Wired] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._handling: set[asyncio.Task[None]] = set()  # of these: what runs the application's own code
        self._timer: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self._is_running = False

    @property
    def state(self) -> ClientState:
        return self._machine.state

    @property
    def machine(self) -> ClientMachine:
        """What it drives."""
        return self._machine

    @property
    def wire_name(self) -> str:
        """The kind of the current wire; empty for none."""
        wired = self._wires.get(self._machine.wire)
        return "" if wired is None else wired.name

    # ---- what the façade asks --------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Begin; returns when there is a connection. Raises `ClientClosed` where the server refuses for good."""
        self._machine.connect()
        self._run()
        while self.state is not ClientState.CONNECTED:
            if self.state is ClientState.CLOSED:
                raise ClientClosed(self.last.code, self.last.reason)
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        """End for good; returns when the wire is closed. Handlers that still run are cancelled."""
        self.is_closed_by_application = self.is_closed_by_application or self.state is not ClientState.CLOSED
        self._machine.close()
        self._run()
        current = asyncio.current_task()  # a handler may close its own client
        for task in self._handling - {current}:
            task.cancel()
        if others := self._tasks - {current}:
            await asyncio.wait(others)

    async def request(self, command: Command) -> ClientReply:
        """Ask, and wait for the answer. Raises `RequestFailed`."""
        answer: asyncio.Future[ClientReply] = asyncio.get_running_loop().create_future()
        call = self._machine.request(command)
        self._calls[call] = answer
        self._run()
        try:
            reply = await answer
        finally:
            self._calls.pop(call, None)
            self._machine.abandon(call)  # who stopped waiting does not want it sent later
        if reply.error is not None:
            raise RequestFailed(reply.error)
        return reply

    def enter(self, subscriber: Subscriber) -> None:
        """It is the one subscriber of its channel from now on. Raises `RequestFailed` (105) if there is another."""
        if self.state is ClientState.CLOSED:
            raise ClientClosed(self.last.code, self.last.reason or "the client is closed")
        self._subscribers.enter(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """It wants no more."""
        if self._subscribers.leave(subscriber):
            self.unsubscribe(subscriber.channel)

    def subscribe(self, channel: str, position: Position | None, *, join_leave: bool) -> None:
        """Want the channel, from the position."""
        self._machine.subscribe(channel, position=position, join_leave=join_leave)
        self._run()

    def move(self, to: Sequence[str], reason: str) -> None:
        """Go on over another wire."""
        self._machine.move(tuple(to), self._now(), reason=reason)
        self._run()

    async def synced(self) -> None:
        """Return when everything that was asked has reached the server."""
        while not self.is_synced and self.state is not ClientState.CLOSED:
            self._changed.clear()
            await self._changed.wait()

    def unsubscribe(self, channel: str) -> None:
        """Do not want it for now."""
        self._machine.unsubscribe(channel)
        self._run()

    # ---- the loop --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Drain the machine, carry everything out, and arm the next deadline."""
        if self._is_running:
            return  # something that was carried out has fed the machine: the loop below takes what came of it
        self._is_running = True
        try:
            while outputs := self._machine.take():
                for output in outputs:
                    self._carry_out(output)
        finally:
            self._is_running = False
        self._arm()

    def _carry_out(self, output: ClientOutput) -> None:
        match output:
            case OpenWire():
                self._open(output)
            case CloseWire(wire, is_bye):
                self._silent = self._wires[wire].name if wire in self._wires else ""
                self._drop(wire, is_bye=is_bye)
            case Transmit(wire, commands):
                self._send(wire, commands)
            case Pong(wire):
                self._send(wire, (Command(),))
            case Answered(call, reply):
                answer = self._calls.get(call)
                if answer is not None and not answer.done():
                    answer.set_result(reply)
            case StateChanged():
                self._change(output)
            case MessageArrived(data):
                tell(self._on_message, bytes(data))
            case CallArrived():
                self._handle(self._answer(output))
            case Moved(_, is_resumed):
                self.moves += is_resumed
                tell(self._on_moved, output)
            case TrialFailed(_, code, reason):
                self.failed_moves += 1
                log.info("a move to another wire failed: %s (%d)", reason, code)
            case Synced(is_synced):
                self.is_synced = is_synced
                self._changed.set()
            case RefreshWanted():
                if self._fresh_token is not None:
                    self._handle(self._refresh(self._fresh_token))
            case Subscribed() | Delivered() | PresenceChanged() | Unsubscribed():
                self._subscribers.bring(output)

    def _change(self, changed: StateChanged) -> None:
        if changed.code == codes.NO_PONG.number and self._silent:
            self.choice.silent(self._silent)
        self.last = changed
        self._changed.set()
        if changed.state is ClientState.WAITING:
            log.info("connection lost, next try in %.1f s: %s (%d)", changed.delay, changed.reason, changed.code)
        tell(self._on_state, changed)
        if changed.state is ClientState.CLOSED:
            self._subscribers.end(changed.code, changed.reason)

    # ---- time ------------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        deadline = self._machine.deadline()
        if self._timer is not None and self._timer.when() != deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._tick, deadline)

    def _tick(self, deadline: float) -> None:
        self._timer = None
        self._machine.tick(max(self._now(), deadline))  # some loops' timers are a little early
        self._run()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # ---- wires -----------------------------------------------------------------------------------------------------

    def _open(self, asked: OpenWire) -> None:
        name = self.choice.pick(asked.to, besides=self.wire_name if asked.is_move else "")
        wired = self._wires[asked.wire] = _Wired(self._make_wire(name), name, self._now())
        wired.task = self._spawn(self._use(asked.wire, wired))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _handle(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._spawn(work)
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)

    def _drop(self, wire: int, *, is_bye: bool) -> None:
        """Close the wire; what it still says is not heard."""
        wired = self._wires.pop(wire, None)
        if wired is not None and is_bye:
            self._spawn(self._finish(wired.wire, wired.task))
        elif wired is not None:
            wired.task.cancel()

    @staticmethod
    async def _finish(wire: Wire, task: "asyncio.Task[None]") -> None:
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                await wire.finish()
        except TimeoutError:
            log.info("the %s wire did not take the last words in %.0f s", wire.name, FINISH_SECONDS)
        finally:
            task.cancel()

    def _send(self, wire: int, commands: tuple[Command, ...]) -> None:
        wired = self._wires.get(wire)
        if wired is not None:
            wired.wire.send(commands)

    async def _use(self, number: int, wired: _Wired) -> None:
        """Run the wire to its end, and say how it ended."""
        lost = WireLost(0, "the wire ended")
        try:
            if self._fresh_token is not None:
                self._machine.use_token(await self._fresh_token())
            await wired.wire.run(_Ear(self, number))
        except WireLost as error:
            lost = error
        except Exception as error:
            log.exception("the %s wire failed", wired.name)
            lost = WireLost(0, f"the wire failed: {error!r}")
        if self._wires.get(number) is wired:
            del self._wires[number]
            if not wired.is_connected:
                self.choice.failed(wired.name, lost.reason)
            self._machine.lost(number, lost.code, lost.reason, self._now())
            self._run()

    def opened(self, number: int) -> None:
        """A wire is open."""
        if number in self._wires:
            self._machine.opened(number, self._now())
            self._run()

    def received(self, number: int, replies: Sequence[ClientReply]) -> None:
        """Replies came on a wire."""
        for reply in replies:
            wired = self._wires.get(number)
            if wired is None:
                return
            if reply.connect is not None and not wired.is_connected:
                wired.is_connected = True
                self.choice.connected(wired.name, self._now() - wired.began)
            self._machine.received(number, reply, self._now())
            self._run()

    # ---- what the server asks --------------------------------------------------------------------------------------

    async def _answer(self, call: CallArrived) -> None:
        """Run the handler of the application, and tell the server what it says."""
        handler, error, data = self.handlers.get(call.method), None, Raw(b"null")
        if handler is None:
            error = Error(codes.METHOD_NOT_FOUND.number, f"this client has no method {call.method[:64]!r}")
        else:
            try:
                data = Raw(msgspec.json.encode(await handler(msgspec.json.decode(call.data))))
            except Exception as failure:
                log.exception("the handler of %s failed", call.method)
                error = Error(codes.INTERNAL.number, str(failure) or type(failure).__name__)
        self._machine.answer(call.number, data, error)
        self._run()

    async def _refresh(self, fresh_token: Callable[[], Awaitable[str]]) -> None:
        try:
            token = await fresh_token()
        except Exception:
            log.exception("no fresh token")
            return
        self._machine.refreshed(token)
        self._run()


class _Ear:
    """Implements `wire.Listener`: knows which wire it hears."""

    __slots__ = ("_driver", "_number")

    def __init__(self, driver: Driver, number: int) -> None:
        self._driver = driver
        self._number = number

    def opened(self) -> None:
        self._driver.opened(self._number)

    def received(self, replies: Sequence[ClientReply]) -> None:
        self._driver.received(self._number, replies)
