"""Whose a session is, and how it passes from one node to another (`core.handover` says what they tell one another).

Theory. While the session is another node's, wires may be on trial here and nothing is executed: `origin` names the
owner. The confirmation makes it ours: numbers, kept replies and calls are adopted, and the replies of commands that run
on at the old owner are waited for. The owner keeps a copy until it has told all, then it lets go of its own wires.
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from wirehop.core.absence import Absence, Kept
from wirehop.core.calls import Calls
from wirehop.core.handover import (
    RUNNING_SECONDS,
    HandedCommand,
    HandedCopy,
    HandedEntry,
    HandedSubscription,
    HandOver,
)
from wirehop.core.messages import Reply
from wirehop.core.once import REPLY_BYTES, unknown

if TYPE_CHECKING:
    from wirehop.core.resumable import Resumable


class Copied(Struct, frozen=True):
    """The session is another node's, here is a copy for a trial."""

    owner: str


class Ownership:
    """Of one session. A session that no other node has asked for, and that is of no other node, has none."""

    __slots__ = ("_session", "_until", "origin")

    def __init__(self, session: "Resumable", origin: Copied | None = None) -> None:
        self.origin = origin  # while the session is still another node's
        self._session = session
        self._until: float | None = None  # for replies of commands that run at the old owner

    # ---- ours, for another node --------------------------------------------------------------------------------------

    def copy_for(self, digest: bytes, now: float) -> HandedCopy:
        """Another node opens a wire of this session, with a token of its own of which we get the hash: a trial that is
        not here."""
        session = self._session
        attach = session.wires.open(now, is_heard=True)
        session.handles.attach = attach - 1
        session.handles.remember(digest)
        session.settle(now)
        return self._copy(attach, now)

    def hand_over(self, attach: int, now: float) -> HandOver | None:
        """The client has confirmed that wire at another node: fence what is here and tell all. None where somebody else
        has confirmed a newer wire."""
        session = self._session
        if session.is_over or not session.handles.prove(attach) or not session.wires.confirm(attach, now):
            return None
        expires_at, calls = session.expires_at, session.calls
        entries = tuple(
            HandedEntry(number, None if held is None else held.reply, 0 if held is None else held.size)
            for number, held in session.once.entries()
        )
        over = HandOver(
            copy=self._copy(attach, now),
            next=session.numbers.next,
            entries=entries,
            held=tuple(HandedCommand(held.command, held.size) for held in session.numbers.held()),
            tokens=session.handles.known,
            proven=session.handles.proven,
            calls={} if calls is None else dict(calls.open),
            next_call=1 if calls is None else calls.next,
            expires_in=None if expires_at is None else expires_at - now,
        )
        session.let_go()
        return over

    def _copy(self, attach: int, now: float) -> HandedCopy:
        session = self._session
        return HandedCopy(
            client=session.client,
            user=session.user,
            attach=attach,
            window=session.wires.window,
            subscriptions={
                channel: HandedSubscription(
                    held.grant,
                    held.is_by_server,
                    held.wants_joins,
                    None if held.expires_at is None else held.expires_at - now,
                    held.number,
                    held.is_open,
                )
                for channel, held in session.kept().items()
            },
            ended=dict(session.ended),
        )

    # ---- another node's, for us --------------------------------------------------------------------------------------

    def renew(self, copy: HandedCopy, now: float) -> None:
        """One more trial of the copy: the owner gave its wire a number, and said what there is to go on with."""
        session = self._session
        session.wires.skip_to(copy.attach)
        session.handles.attach = max(session.handles.attach, copy.attach - 1)
        kept = {
            channel: Kept(
                held.grant,
                held.is_by_server,
                held.wants_joins,
                None if held.expires_in is None else now + held.expires_in,
                held.number,
                held.is_open,
            )
            for channel, held in copy.subscriptions.items()
        }
        session.absence = Absence(kept)
        session.absence.ended = dict(copy.ended)

    def adopt(self, over: HandOver, now: float) -> None:
        """The session is ours now. The trial that was confirmed is still to be confirmed here."""
        session = self._session
        self.origin = None
        self.renew(over.copy, now)
        session.numbers.next = over.next
        for waiting in over.held:
            session.numbers.accept(waiting.command, waiting.size, now)
        for entry in over.entries:
            session.once.begin(entry.number)
            if entry.reply is not None:
                session.once.answered(entry.number, entry.reply, entry.size)
            else:
                self._until = now + RUNNING_SECONDS
        session.handles.adopt(over.tokens, over.proven)
        session.calls = Calls()
        session.calls.open, session.calls.next = dict(over.calls), over.next_call
        if session.absence is not None and over.expires_in is not None:
            session.absence.expires_at = now + over.expires_in

    def forwarded(self, reply: Reply) -> None:
        """The old owner forwards the reply of a command that ran on there."""
        session = self._session
        if reply.id in session.once.running():
            session.once.answered(reply.id, reply, REPLY_BYTES)
            if session.current is not None:
                session.current.send(reply)
            if not session.once.running():
                self._until = None

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        return self._until

    def tick(self, now: float) -> None:
        """Time has passed: what still runs elsewhere is not waited for any longer."""
        if self._until is not None and now >= self._until:
            for number in self._session.once.running():
                self.forwarded(unknown(number))
            self._until = None
