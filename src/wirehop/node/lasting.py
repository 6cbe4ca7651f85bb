"""One session that moves, beside the drivers of its wires: carries out what its `Resumable` decides."""

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.effects import Failure, Invoked
from wirehop.core.errors import Refused
from wirehop.core.messages import Error
from wirehop.core.resumable import Answered, Departed, Detached, Gone, Promoted, Resumable, ResumableOutput

if TYPE_CHECKING:
    from wirehop.node.driver import Driver
    from wirehop.node.node import Node

ANSWER = "wh.answer"
"""The rpc method with which a client answers a call of the server."""
NEVER = float("inf")


class CallAnswer(Struct):
    """What a client answers: `data`, or an error with a code and a message."""

    call: int
    data: Raw = Raw(b"null")
    error: Error | None = None


_ANSWER = msgspec.json.Decoder(CallAnswer)


class Lasting:
    """One session that moves. `drivers` are those of its open wires, `last` that of the wire that is or was current."""

    __slots__ = ("_due", "_futures", "_is_running", "drivers", "last", "node", "resumable", "successor")

    def __init__(self, node: "Node", resumable: Resumable, driver: "Driver") -> None:
        self.node = node
        self.resumable = resumable
        self.last = driver
        self.drivers: tuple[Driver, ...] = ()
        self.successor = ""  # the node that it was handed over to
        self._futures: dict[int, asyncio.Future[Raw]] | None = None
        self._is_running = False
        self._due = NEVER

    def run(self) -> None:
        """Something has happened on one of the wires: carry out all that came of it, on all of them."""
        if self._is_running:
            return
        self._is_running = True
        resumable = self.resumable
        try:
            while True:
                resumable.settle(self.node.clock.now())
                outputs = resumable.take()
                for output in outputs:
                    self._carry_out(output)
                busy = [driver for driver in self.drivers if driver.session.has_output]
                for driver in busy:
                    driver.drain()
                if not outputs and not busy:
                    break
        finally:
            self._is_running = False
        if any(driver.wire is None for driver in self.drivers):
            self.drivers = tuple(driver for driver in self.drivers if driver.wire is not None)
        self._arm()

    def tick(self, now: float) -> None:
        """`wheel.Timed`."""
        self._due = NEVER
        if not self.resumable.is_over:
            self.resumable.tick(now)
            self.run()

    def _arm(self) -> None:
        deadline = self.resumable.deadline()
        if deadline is not None and deadline < self._due:
            self._due = deadline
            self.node.wheel.add(self, deadline)

    def end(self, code: Code, reason: str = "") -> None:
        """End it for good, on all its wires."""
        self.resumable.end(code, reason)
        self.run()

    def unsubscribe(self, channel: str, code: Code) -> bool:
        """End a subscription while there is no wire; False where there is none such."""
        was_held = self.resumable.unsubscribe(channel, code)
        self.run()
        return was_held

    def _carry_out(self, output: ResumableOutput) -> None:
        node = self.node
        match output:
            case Promoted(session, before):
                driver = next(each for each in self.drivers if each.session is session)
                node.resumption.promoted(self, driver, detaches=before is None)
                self.last.let_late_go()
                self.last = driver
            case Detached():
                node.resumption.detached(self)
            case Departed(channel):
                node.effects.leave(channel, self.resumable.client)
            case Answered(reply):
                if self.successor:
                    node.spawn(node.resumption.forward_to(self.successor, self.resumable.client, reply))
            case Gone(code, reason, leaves, is_elsewhere):
                for channel in leaves:
                    node.effects.leave(channel, self.resumable.client)
                self._fail_calls()
                self.last.let_late_go()
                node.resumption.forget(self, code, reason, is_elsewhere=is_elsewhere)

    # ---- calls to the client -----------------------------------------------------------------------------------------

    async def call(self, method: str, data: Raw, timeout: float) -> Raw:
        """Ask the client and wait for its answer, across moves. Raises `Refused` with the client's error, 120 where the
        session ends first, and `TimeoutError`."""
        if self.resumable.is_over:
            raise Refused(codes.OUTCOME_UNKNOWN, "the session is over")
        future: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        number = self.resumable.call(method, data)
        if self._futures is None:
            self._futures = {}
        self._futures[number] = future
        self.run()
        try:
            async with asyncio.timeout(timeout):
                return await future
        finally:
            self.resumable.called(number)
            self._futures.pop(number, None)

    def answered(self, data: Raw) -> Invoked | Failure:
        """The client's answer to a call, as it came by rpc."""
        try:
            answer = _ANSWER.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Failure(codes.BAD_REQUEST, str(error))
        future = (self._futures or {}).get(answer.call)
        if self.resumable.called(answer.call) and future is not None and not future.done():
            if answer.error is None:
                future.set_result(answer.data)
            else:
                code = codes.find(answer.error.code)
                is_error = code is not None and code.kind is codes.Kind.ERROR
                future.set_exception(
                    Refused(code if code is not None and is_error else codes.INTERNAL, answer.error.message)
                )
        return Invoked(Raw(b"null"))

    def _fail_calls(self) -> None:
        for future in (self._futures or {}).values():
            if not future.done():
                future.set_exception(Refused(codes.OUTCOME_UNKNOWN, "the session is over"))


def lasting_of(driver: Any) -> Lasting:
    """The session that moves of a driver. Raises `Refused` (108) where its client cannot."""
    lasting = driver.lasting
    if not isinstance(lasting, Lasting):
        raise Refused(codes.NOT_AVAILABLE, "this client does not take calls: it speaks the protocol without wh")
    return lasting
