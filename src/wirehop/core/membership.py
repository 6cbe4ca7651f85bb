"""The part of one wire's `Session` in a session that moves (`Resumable`): which of its numbered commands run, and when.

Theory. What a command says of the session (`wh`) is read before anything else. A number that is the next one runs, with
those that waited for it; one further on waits for the gap; one that was accepted before runs at most once on each wire,
and what must not run twice gets the reply that was kept. While the wire is on trial everything is held.
"""

from typing import TYPE_CHECKING

from wirehop.core import codes
from wirehop.core.effects import Failure, TakeOver
from wirehop.core.handover import HandOver
from wirehop.core.messages import FIRST_UNNUMBERED_ID, Command, CommandWh
from wirehop.core.replies import is_pong
from wirehop.core.states import SessionState
from wirehop.core.subscription_host import OpenCall

if TYPE_CHECKING:
    from wirehop.core.resumable import Resumable
    from wirehop.core.session import Session


class Membership:
    """`wire` is its number. Command numbers from `since` on were accepted on it or still are to come; of those below,
    `again` are the ones that were repeated here. `known`: the numbers whose replies the client had when it opened the
    wire, as in `wh.acked`."""

    __slots__ = ("_has_asked", "_session", "again", "is_trial", "known", "resumable", "since", "wire")

    def __init__(self, resumable: "Resumable", session: "Session", wire: int, *, is_trial: bool) -> None:
        self.resumable = resumable
        self.wire = wire
        self.is_trial = is_trial
        self.since = resumable.numbers.next
        self.again: set[int] | None = None
        self.known: tuple[int, ...] = ()
        self._session = session
        self._has_asked = False  # the node whose the session is, for it

    def promoted(self) -> None:
        """The wire is current now."""
        self.is_trial = False
        self.since = self.resumable.numbers.next

    def has_heard(self, number: int) -> bool:
        """Whether the client had the reply to this number when it opened the wire."""
        return number <= (self.known[0] if self.known else 0) or number in self.known[1:]

    def accept(self, command: Command, now: float, size: int) -> None:
        """A command has come on the wire; `size` in bytes."""
        if command.wh is not None and not self._heed(command, command.wh, now):
            return
        session = self._session
        if is_pong(command) or session.state is not SessionState.CONNECTED:
            return
        if self.is_trial:
            session.hold(command, size)
            return
        number = command.id
        if number >= FIRST_UNNUMBERED_ID:
            session.run(command, now)
        elif number == 0:
            session.end(codes.BAD_REQUEST_CLOSE, "commands of this session have numbers")
        elif number < self.resumable.numbers.next:
            self._run_again(command, now)
        else:
            self._run_in_turn(command, now, size)

    def accept_late(self, command: Command, now: float, size: int) -> None:
        """The wire is gone, and a POST of its client still comes: of the last current wire what runs once counts."""
        resumable = self.resumable
        if self.is_trial or resumable.is_over or resumable.last != self.wire:
            return
        if command.wh is not None and not self._heed(command, command.wh, now):
            return
        if not is_pong(command) and command.id < FIRST_UNNUMBERED_ID and command.id >= resumable.numbers.next:
            try:
                ready = resumable.numbers.accept(command, size, now)
            except OverflowError:
                return
            for each in ready:
                if (each.publish is not None or each.rpc is not None) and not resumable.begin(each.id):
                    return
                if each.publish is not None or each.rpc is not None or each.send is not None:
                    self._session.run(each, now)
            resumable.check_bye()

    def taken_over(self, over: HandOver | None, now: float) -> None:
        """What the node said that was asked for the session; None: it is another one's, or there was no answer."""
        if over is None:
            self._session.end(codes.INSUFFICIENT_STATE_CLOSE, "the session could not be taken over")
            return
        if self.resumable.origin is not None:
            self.resumable.ownership.adopt(over, now)
        self.resumable.confirm(self.wire, now)

    def _run_in_turn(self, command: Command, now: float, size: int) -> None:
        """A number that was not accepted before: run what may start."""
        resumable, session = self.resumable, self._session
        try:
            ready = resumable.numbers.accept(command, size, now)
        except OverflowError:
            session.end(codes.BAD_REQUEST_CLOSE, "too many commands wait for a gap in their numbers")
            return
        for each in ready:
            if session.state is not SessionState.CONNECTED:
                return
            if (each.publish is not None or each.rpc is not None) and not resumable.begin(each.id):
                session.end(codes.BAD_REQUEST_CLOSE, "too many replies are not acknowledged (wh.acked)")
                return
            session.run(each, now)
        resumable.check_bye()

    def _run_again(self, command: Command, now: float) -> None:
        """A number that was accepted before, on this wire or another one."""
        if not self._is_new(command.id) or command.send is not None:
            return  # its reply stands on this wire, or will
        if len(self.again or ()) > self._session.limits.pending_commands:
            self._session.end(codes.BAD_REQUEST_CLOSE, "too many commands are sent again")
        elif command.publish is not None or command.rpc is not None:
            reply = self.resumable.once.repeated(command.id)
            if reply is not None:
                self._session.send(reply)
        else:
            self._session.run(command, now)

    def _heed(self, command: Command, wh: CommandWh, now: float) -> bool:
        """What a command says of the session; False where it must not run."""
        resumable = self.resumable
        if wh.attach and wh.attach != self.wire:
            self._session.fail(command.id, Failure(codes.BAD_REQUEST, "wh.attach names another wire"))
            return False
        if wh.attach and self.is_trial and resumable.origin is not None:
            self._take_over(resumable.origin.owner)
        elif wh.attach:
            resumable.confirm(wh.attach, now)
        if self.is_trial:
            return True
        if wh.acked:
            resumable.acknowledge(wh.acked)
        if wh.bye:
            resumable.bye(command, now)
        return True

    def _take_over(self, owner: str) -> None:
        """Ask the node whose session it is, once; what comes meanwhile is held."""
        if not self._has_asked:
            self._has_asked = True
            session = self._session
            session.call(TakeOver(session.client, owner, self.wire), OpenCall(0, "take_over", ""))

    def _is_new(self, number: int) -> bool:
        """Whether the number, accepted before, has not run on this wire: on one wire each runs at most once."""
        if number >= self.since or (self.again is not None and number in self.again):
            return False
        if self.again is None:
            self.again = set()
        self.again.add(number)
        return True
