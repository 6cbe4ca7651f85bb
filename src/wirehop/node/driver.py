"""Drives one session: feeds its machine, drains it, and carries out what comes of it.

Change once, drain fully, then wait: `_run` is the one place that calls `Session.take`. While the wire is full,
replies and pushes wait in the outbox, bounded in bytes; a session that exceeds it is ended with 3008. Publications
never wait here: their slots have left the lane and catch up from history.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wirehop.abc import Peer
from wirehop.auth.rights import Credential, Rights
from wirehop.codecs.frame import Frame
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.effects import (
    Admitted,
    Answer,
    Attach,
    Call,
    Close,
    Count,
    Detach,
    Enter,
    Grant,
    Leave,
    Output,
    PageRead,
    Received,
    Send,
    SendMissed,
    SendTail,
    Watch,
)
from wirehop.core.messages import Command, Position, Push, Reply
from wirehop.core.session import Session
from wirehop.core.slot import Slot
from wirehop.core.states import SessionState

if TYPE_CHECKING:
    from wirehop.core.handover import HandOver
    from wirehop.node.lasting import Lasting
    from wirehop.node.node import Node
    from wirehop.node.resumption import Looked
    from wirehop.node.wire import Wire

NEVER = float("inf")
_COUNTED, _AT_ONCE = 65_536, 1_048_576
"""Bytes of replies from which a session's turn of the loop is watched, and after which it is over for the session."""
_AFTER_REPLIES = (SendMissed, SendTail, Close, Enter)


class Driver:
    """One session on one wire."""

    __slots__ = (
        "_due",
        "_has_read",
        "_has_written",
        "_held",
        "_is_full",
        "_is_running",
        "_is_watched",
        "_outbox",
        "_outbox_size",
        "_written",
        "carries_bytes",
        "credential",
        "drops",
        "is_admin",
        "is_bare",
        "is_transient",
        "key",
        "lasting",
        "late",
        "looked",
        "node",
        "opened_at",
        "peer",
        "rights",
        "session",
        "was_admitted",
        "wire",
        "wire_name",
    )

    def __init__(
        self,
        node: "Node",
        session: Session,
        wire: "Wire",
        *,
        wire_name: str,
        peer: Peer,
        is_transient: bool = False,
        carries_bytes: bool = False,
    ) -> None:
        self.node = node
        self.session = session
        self.key = session.client  # under which the node has it
        self.lasting: Lasting | None = None  # of a session that moves
        self.looked: Looked | None = None  # what another node says of the session whose token was shown
        self.late: Callable[[], None] | None = None  # lets go of POSTs that may still come for a wire that is gone
        self.wire: Wire | None = wire
        self.wire_name = wire_name
        self.peer = peer
        self.is_transient = is_transient
        self.carries_bytes = carries_bytes
        self.opened_at = node.clock.now()
        self.drops = 0  # messages that this session did not get
        self.is_admin = False  # may do everything in every channel, unseen
        self.credential: Credential = ""
        self.is_bare = False
        self.rights: Rights | None = None  # by token, ticket or single subscriptions
        self.was_admitted = False
        self._held: list[Reply] | None = None
        self._outbox: list[Reply] | None = None
        self._outbox_size = 0
        self._due = NEVER
        self._has_read = False
        self._is_full = False  # the wire, as it says itself
        self._is_running = False
        self._is_watched = False
        self._written = 0  # bytes of replies, in this turn of the loop if it is watched
        self._has_written = False  # publications from history, since the last turn of `_run`

    # ---- what the transport calls ------------------------------------------------------------------------------------

    def received(self, commands: Sequence[Command], size: int) -> None:
        """Commands that came in one message or body of `size` bytes."""
        now = self.node.clock.now()
        self.node.metrics.received[self.wire_name] += len(commands)
        share = size // len(commands) if commands else 0
        for command in commands:
            self.session.receive(command, now, share)
        self._run()

    def rebind(self) -> None:
        """The wire's `out` is another one now: its slots write there."""
        if self.wire is not None:
            for subscription in self.session.subscriptions.values():
                if subscription.slot is not None:
                    subscription.slot.out = self.wire.out
                    self.node.hub.rebind(subscription.slot)

    def heard(self) -> None:
        """The peer is alive."""
        self.session.heard()

    def paused(self) -> None:
        """The wire is full."""
        self.node.metrics.paused[self.wire_name] += 1
        self._is_full = True
        self.session.paused()
        self._run()

    def resumed(self) -> None:
        """The wire takes bytes again."""
        self._is_full = False
        self._flush_outbox()
        if self.session.is_paused:
            self.session.resumed(self.node.clock.now())
        self._run()

    def lost(self, cause: str, *, is_clean: bool = False) -> None:
        """The wire is gone. `is_clean`: its client has closed it in order."""
        if self.session.state is not SessionState.CLOSED:
            self.session.lost(cause, is_clean=is_clean)
            self._run()
            self._closed(codes.CLOSED.number, cause)

    def let_late_go(self) -> None:
        """Nothing that still comes for the wire counts any more."""
        late, self.late = self.late, None
        if late is not None:
            late()

    def drain(self) -> None:
        """The machine was told something by another wire of its session."""
        self._run()

    def end(self, code: Code, reason: str = "") -> None:
        """End the session from the server's side."""
        self.session.end(code, reason)
        self._run()

    # ---- what the node and the hub call
    # --------------------------------------------------------------------------------

    def answered(self, number: int, answer: Answer) -> None:
        """A call has its answer."""
        if type(answer) is Admitted and self.session.wants_to_move is not None:
            self.node.resumption.join(self, answer)
        self.session.answer(number, answer, self.node.clock.now())
        if isinstance(answer, PageRead):
            self._has_read = True
        if not self.was_admitted and self.session.state is SessionState.CONNECTED:
            self.was_admitted = True
            self.node.admitted(self)
        self._run()

    def taken_over(self, number: int, over: "HandOver | None") -> None:
        """Another node has handed its session over, or has not."""
        self.session.taken_over(number, over, self.node.clock.now())
        self._run()

    def published(self, slot: Slot, first: int, last: int, epoch: str) -> None:
        """`hub.SlotOwner`: publications that did not take the fast lane."""
        count = last - first + 1 if last else len(self.node.hub.range(slot.channel, 0, 0))
        self.session.published(slot, first, last, epoch, self.node.clock.now(), count=count)
        self._run()

    def compare(self, slot: Slot, top: Position) -> None:
        """The broker's log ends at `top`."""
        self.session.compare(slot, top, self.node.clock.now())
        self._run()

    def subscribe(self, channel: str, grant: Grant, since: Position | None) -> None:
        """Subscribe from the server's side."""
        self.session.subscribe(channel, grant, self.node.clock.now(), since=since)
        self._run()

    def unsubscribe(self, channel: str, code: Code) -> None:
        """End a subscription from the server's side."""
        self.session.unsubscribe(channel, code, self.node.clock.now())
        self._run()

    def refresh(self, ttl: float) -> None:
        """The session expires `ttl` seconds from now; 0: never."""
        self.session.refresh(ttl, self.node.clock.now())
        self._run()

    def pushed(self, push: Push) -> None:
        """`hub.SlotOwner`: a join or leave."""
        self.session.push(push)
        self._run()

    def tick(self, now: float) -> None:
        """`wheel.Timed`."""
        self._due = NEVER
        self.session.tick(now)
        self._run()

    # ---- the loop
    # ------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Drain the machine, carry everything out, and arm the next deadline."""
        if self._is_running:
            return  # an effect answered at once: the loop below takes what came of it
        self._is_running = True
        self._has_written = False
        try:
            replies: list[Reply] = []
            while (outputs := self.session.take()) or replies:
                if not outputs:
                    self._send(replies)  # which may end the session: a refusal, an outbox over its limit
                    replies = []
                for output in outputs:
                    if isinstance(output, Send):
                        replies.append(output.reply)
                        continue
                    if replies and isinstance(output, _AFTER_REPLIES):
                        self._send(replies)  # what follows must come after them on the wire
                        replies = []
                    self._carry_out(output)
        finally:
            self._is_running = False
        if self._has_read:  # what the shared tail holds for a slot has been written by now
            self._has_read = False
            for subscription in self.session.subscriptions.values():
                if subscription.slot is not None:
                    self.node.hub.settle(subscription.slot)
        if self.lasting is not None:
            self.lasting.run()
        self.arm()

    def arm(self) -> None:
        """Have `tick` called at the session's next deadline."""
        deadline = self.session.deadline()
        if deadline is not None and deadline < self._due:
            self._due = deadline
            self.node.wheel.add(self, deadline)

    def _carry_out(self, output: Output) -> None:
        node = self.node
        match output:
            case Call():
                # the wire says in the next turn that it is full: no page is read before that
                node.effects.perform(self, output, at_once=not self._has_written)
            case Attach(slot, watches):
                wire = self.wire
                if wire is not None:
                    slot.lane, slot.out, slot.owner = wire.lane, wire.out, self
                    node.interest.attach(slot, watches=watches)
            case Watch(slot):
                node.hub.watch(slot)
            case Detach(slot):
                node.interest.detach(slot)
            case SendMissed(slot, publications):
                epoch = slot.epoch
                self._has_written = True
                self._write([Frame(slot.channel, publication, epoch) for publication in publications])
            case SendTail(slot, first, last):
                frames = node.hub.range(slot.channel, first, last, slot.epoch)
                if last and len(frames) <= last - first:
                    self.session.behind(slot, first - 1, node.clock.now())
                else:
                    self._write(frames)
            case Enter(channel, info):
                node.effects.enter(channel, info)
            case Leave(channel, client):
                node.effects.leave(channel, client)
            case Received(data):
                node.effects.received(self, data)
            case Count(what, count):
                node.metrics.dropped[what] += count
                self.drops += count
            case Close(code, reason):
                self._close(code, reason)

    def _write(self, frames: list[Frame]) -> None:
        self._release()
        if self.wire is not None and frames:
            self.node.metrics.caught_up[self.wire_name] += len(frames)
            self.wire.write(frames)

    # ---- replies and the outbox
    # ----------------------------------------------------------------------------------------

    def _send(self, replies: list[Reply]) -> None:
        is_published = replies[-1].publish is not None
        if is_published and self._held is None and self.session.subscriptions and self.node.hub.is_due:
            self._held = replies  # what it published may come to it with the flush: one system call for both
            self.node.hub.before_flush(self._release)
        else:
            self._release()
            self._put(replies)

    def _release(self) -> None:
        """Send what was held until the end of the loop turn."""
        held, self._held = self._held, None
        if held is not None:
            self._put(held)

    def _put(self, replies: list[Reply]) -> None:
        if self.wire is None:
            return
        if self._outbox is not None or self.session.is_paused:
            self._wait(replies)
        else:
            self.node.metrics.sent[self.wire_name] += len(replies)
            self._wrote(self.wire.send(replies))

    def _wrote(self, size: int) -> None:
        """A wire says a turn of the loop later that it is full. Where commands travel apart, nobody holds them until
        then: the session waits for the next turn by itself."""
        if not self.session.secret:
            return
        self._written += size
        if self._written > _COUNTED and not self._is_watched:
            self._is_watched = True
            self.node.soon(self._turned)
        if self._written > _AT_ONCE:
            self.session.paused()

    def _turned(self) -> None:
        is_over = self._written > _AT_ONCE
        self._is_watched, self._written = False, 0
        if is_over and not self._is_full and self.wire is not None:
            self.resumed()

    def _wait(self, replies: list[Reply]) -> None:
        """The wire is full: keep the replies, up to the limit."""
        if self._outbox is None:
            self._outbox = []
        self._outbox += replies
        self._outbox_size += sum(map(self.node.reply_size, replies))
        limit = self.node.settings.limits.outbox_bytes
        if self._outbox_size > limit:
            self.node.metrics.dropped["outbox"] += len(self._outbox)
            self.drops += len(self._outbox)
            self._outbox = None
            self.session.end(codes.SLOW, f"more than {limit} bytes of replies wait for the wire")

    @property
    def waiting(self) -> int:
        """Bytes in the outbox."""
        return self._outbox_size

    def _flush_outbox(self) -> None:
        if self._outbox is not None and self.wire is not None:
            replies, self._outbox, self._outbox_size = self._outbox, None, 0
            self.node.metrics.sent[self.wire_name] += len(replies)
            self.wire.send(replies)

    # ---- the end
    # -------------------------------------------------------------------------------------------------------

    def _close(self, code: Code, reason: str) -> None:
        self._release()
        wire = self.wire
        self._closed(code.number, reason)
        if wire is not None:
            wire.close(code, reason)

    def _closed(self, code: int, reason: str) -> None:
        if self.wire is not None:
            self.wire = None
            self._outbox = None
            self.node.forget(self, code, reason)
