"""Drives the client's machine on asyncio: feeds it, drains it, keeps its time, lends it wires, and brings what comes
of it to whoever asked.

Change once, drain fully, then wait: `_run` is the one place that calls `take`. What a wire says counts only while it
is the current one, so a late word of a lost wire does nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from wirehop.client.errors import ClientClosed, ClientError, RequestFailed, SubscriptionEnded, WireLost
from wirehop.client.machine import ClientMachine
from wirehop.client.messages import ClientReply
from wirehop.client.outputs import (
    Answered,
    ClientOutput,
    CloseWire,
    Delivered,
    MessageArrived,
    OpenWire,
    Pong,
    PresenceChanged,
    StateChanged,
    Subscribed,
    Transmit,
    Unsubscribed,
)
from wirehop.client.states import ClientState
from wirehop.client.wire import Wire
from wirehop.codecs.json_lines import WirePublication
from wirehop.core import codes
from wirehop.core.messages import Command, Error, Position

log = logging.getLogger("wirehop.client")
T = TypeVar("T")


class Subscriber(Protocol):
    """Who wants a channel."""

    channel: str

    def subscribed(self, output: Subscribed) -> None:
        """The channel is live."""
        ...

    def delivered(self, wire: WirePublication) -> None:
        """A publication came."""
        ...

    def changed(self, output: PresenceChanged) -> None:
        """Somebody came or went."""
        ...

    def ended(self, error: ClientError) -> None:
        """Nothing more will come."""
        ...


class Driver:
    """One machine and its wires, one after the other. `on_state` and `on_message` are called in the loop and must not
    block.
    """

    def __init__(
        self,
        machine: ClientMachine,
        make_wire: Callable[[], Wire],
        *,
        on_state: Callable[[StateChanged], None] | None = None,
        on_message: Callable[[bytes], None] | None = None,
    ) -> None:
        self.last = StateChanged(ClientState.IDLE)
        self.is_closed_by_application = False
        self._machine = machine
        self._make_wire = make_wire
        self._on_state = on_state
        self._on_message = on_message
        self._subscribers: dict[str, Subscriber] = {}
        self._calls: dict[int, asyncio.Future[ClientReply]] = {}
        self._wire: Wire | None = None
        self._wire_task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self._is_running = False

    @property
    def state(self) -> ClientState:
        return self._machine.state

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
        """End for good; returns when the wire is closed."""
        self.is_closed_by_application = self.is_closed_by_application or self.state is not ClientState.CLOSED
        self._machine.close()
        self._run()
        if self._tasks:
            await asyncio.wait(self._tasks)

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
        if subscriber.channel in self._subscribers:
            code = codes.ALREADY_SUBSCRIBED
            raise RequestFailed(Error(code.number, f"{code.text}: {subscriber.channel}"))
        self._subscribers[subscriber.channel] = subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """It wants no more."""
        if self._subscribers.get(subscriber.channel) is subscriber:
            del self._subscribers[subscriber.channel]
            self.unsubscribe(subscriber.channel)

    def subscribe(self, channel: str, position: Position | None, *, join_leave: bool) -> None:
        """Want the channel, from the position."""
        self._machine.subscribe(channel, position=position, join_leave=join_leave)
        self._run()

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
                self._open()
            case CloseWire():
                self._drop()
            case Transmit(commands):
                self._send(commands)
            case Pong():
                self._send((Command(),))
            case Answered(call, reply):
                answer = self._calls.get(call)
                if answer is not None and not answer.done():
                    answer.set_result(reply)
            case StateChanged():
                self._change(output)
            case MessageArrived(data):
                self._tell(self._on_message, bytes(data))
            case Subscribed() | Delivered() | PresenceChanged() | Unsubscribed():
                self._bring(output)

    def _bring(self, output: Subscribed | Delivered | PresenceChanged | Unsubscribed) -> None:
        """To the channel's subscriber; what comes for one that has left is not wanted any more."""
        subscriber = self._subscribers.get(output.channel)
        if subscriber is None:
            return
        match output:
            case Delivered(_, publication):
                subscriber.delivered(publication)
            case Subscribed():
                self._tell(subscriber.subscribed, output)
            case PresenceChanged():
                self._tell(subscriber.changed, output)
            case Unsubscribed(channel, code, reason):
                subscriber.ended(SubscriptionEnded(channel, code, reason))

    def _change(self, changed: StateChanged) -> None:
        self.last = changed
        self._changed.set()
        if changed.state is ClientState.WAITING:
            log.info("connection lost, next try in %.1f s: %s (%d)", changed.delay, changed.reason, changed.code)
        self._tell(self._on_state, changed)
        if changed.state is ClientState.CLOSED:
            for subscriber in list(self._subscribers.values()):
                subscriber.ended(ClientClosed(changed.code, changed.reason))

    def _tell(self, callback: Callable[[T], None] | None, value: T) -> None:
        """Call what the application gave; its failure is its own."""
        if callback is not None:
            try:
                callback(value)
            except Exception:
                log.exception("a callback of the application failed")

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

    def _open(self) -> None:
        wire = self._wire = self._make_wire()
        task = self._wire_task = asyncio.ensure_future(self._use(wire))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _drop(self) -> None:
        """Close the wire; what it still says is not heard."""
        self._wire = None
        if self._wire_task is not None:
            self._wire_task.cancel()
            self._wire_task = None

    def _send(self, commands: tuple[Command, ...]) -> None:
        if self._wire is not None:
            self._wire.send(commands)

    async def _use(self, wire: Wire) -> None:
        """Run the wire to its end, and say how it ended."""
        lost = WireLost(0, "the wire ended")
        try:
            await wire.run(_Ear(self, wire))
        except WireLost as error:
            lost = error
        except Exception as error:
            log.exception("the %s wire failed", wire.name)
            lost = WireLost(0, f"the wire failed: {error!r}")
        if self._wire is wire:
            self._wire = self._wire_task = None
            self._machine.lost(lost.code, lost.reason, self._now())
            self._run()

    def opened(self, wire: Wire) -> None:
        """A wire is open."""
        if self._wire is wire:
            self._machine.opened(self._now())
            self._run()

    def received(self, wire: Wire, replies: Sequence[ClientReply]) -> None:
        """Replies came on a wire."""
        for reply in replies:
            if self._wire is not wire:
                return
            self._machine.received(reply, self._now())
            self._run()


class _Ear:
    """Implements `wire.Listener`: knows which wire it hears."""

    __slots__ = ("_driver", "_wire")

    def __init__(self, driver: Driver, wire: Wire) -> None:
        self._driver = driver
        self._wire = wire

    def opened(self) -> None:
        self._driver.opened(self._wire)

    def received(self, replies: Sequence[ClientReply]) -> None:
        self._driver.received(self._wire, replies)
