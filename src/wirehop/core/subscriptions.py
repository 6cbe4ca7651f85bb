"""All subscriptions of one session: asked for, followed, ended, and let catch up one at a time after the wire was full.

It speaks through its host, the session: calls, replies, ends. It knows channels and slots; connect, heartbeat and the
order of commands are the session's.
"""

from msgspec import UNSET

from wirehop.core import codes
from wirehop.core.absence import Kept
from wirehop.core.codes import Code, Retry
from wirehop.core.effects import (
    Answer,
    Attach,
    Authorize,
    Count,
    Detach,
    Enter,
    Failure,
    Grant,
    Leave,
    PageRead,
    ReadPage,
    SendMissed,
    SendTail,
    Watch,
)
from wirehop.core.messages import (
    ClientInfo,
    Command,
    Position,
    Push,
    Reply,
    Subscribe,
    SubscribeRequest,
    SubscribeResult,
    Unsubscribe,
)
from wirehop.core.replies import result_reply
from wirehop.core.slot import Dropped, Lost, Missed, Read, Slot, SlotOutput, SlotState, Started, Tail
from wirehop.core.subscription import Subscription, SubscriptionState
from wirehop.core.subscription_host import OpenCall, Opening, SubscriptionHost

NO_FILTERS = "this server does not filter by tags (tf)"
AGAIN_SECONDS = 10.0
"""How long a client may take to ask again for a subscription that it does not know to have; the grace comes on top."""


class Subscriptions:
    """At most `limits.channels`; one more is answered 106.

    Those that the server opens with the connect result go live together: the pages of history that come first wait in
    `_pages` for the others, so that nothing is written for any of them before that result.
    """

    __slots__ = ("_draining", "_host", "_pages", "by_channel", "expires_at")

    def __init__(self, host: SubscriptionHost) -> None:
        self._host = host
        self.by_channel: dict[str, Subscription] = {}
        self.expires_at: float | None = None  # the first end of one that expires
        self._draining: list[Subscription] | None = None  # those that still have to catch up, the next one last
        self._pages: dict[Subscription, PageRead | None] | None = None  # while the session opens

    # ---- commands ------------------------------------------------------------------------------------------------

    def subscribe(self, command: Command, now: float, *, replaces: bool) -> None:
        """A subscribe command. `replaces`: a channel that is held already begins again (else 105)."""
        request, host = command.subscribe, self._host
        assert request is not None
        if request.has_filter:
            host.fail(command.id, Failure(codes.BAD_REQUEST, NO_FILTERS))
            return
        held = self.by_channel.get(request.channel)
        if held is not None and (not replaces or held.is_by_server):
            host.fail(command.id, Failure(codes.ALREADY_SUBSCRIBED))
            return
        was_in = held is not None and held.is_in
        if held is not None:  # who subscribes again does not leave meanwhile
            held.is_in = False
            self.end(held, None, now)
        if len(self.by_channel) >= host.limits.channels:
            most = host.limits.channels
            host.fail(command.id, Failure(codes.LIMIT_EXCEEDED, f"a session has at most {most} subscriptions"))
            return
        subscription = Subscription(request, command.id)
        subscription.is_in = was_in
        self.by_channel[request.channel] = subscription
        host.call(Authorize(request), OpenCall(command.id, "subscribe", request.channel, subscription))

    def unsubscribe(self, command: Command, now: float) -> None:
        """An unsubscribe command. What is not held is ended already."""
        assert command.unsubscribe is not None
        subscription = self.by_channel.get(command.unsubscribe.channel)
        if subscription is not None:
            self.end(subscription, None, now)
        self._host.send(result_reply(command.id, "unsubscribed"))

    # ---- what the server asks ------------------------------------------------------------------------------------

    def open_with_session(self, openings: list[Opening], now: float) -> None:
        """Subscribe the session before it is told that it is connected; `host.opened` follows when all have started."""
        self._pages = {}
        for opening in openings:
            grant = opening.grant
            subscription = self._grant(opening.request, grant, now, is_by_server=opening.is_by_server)
            self._pages[subscription] = None
            if grant.delivery != "signal":
                assert subscription.slot is not None
                self._follow(subscription, subscription.slot.start(self._host.limits), now)
        self._open_all(now)

    def open_by_server(self, channel: str, grant: Grant, since: Position | None, now: float) -> None:
        """Subscribe a session that is connected; it is told by a push. One that has the channel already keeps it."""
        host = self._host
        if channel in self.by_channel or len(self.by_channel) >= host.limits.channels:
            return
        where = since or Position("", 0)
        request = SubscribeRequest(channel, recover=since is not None, epoch=where.epoch, offset=where.offset)
        subscription = self._grant(request, grant, now)
        assert subscription.slot is not None
        self._follow(subscription, subscription.slot.start(host.limits, is_paused=host.is_paused), now)

    def _grant(self, request: SubscribeRequest, grant: Grant, now: float, *, is_by_server: bool = True) -> Subscription:
        subscription = self.by_channel[request.channel] = Subscription(request, 0, is_by_server=is_by_server)
        slot = subscription.granted(grant)
        self.extend(subscription, grant.ttl, now)
        if not self._host.is_trial:
            self._host.tell(Attach(slot, subscription.watches))
        elif grant.delivery != "signal":  # without offsets, things go to the current wire alone
            self._host.tell(Attach(slot, watches=False))
        return subscription

    def kept(self) -> dict[str, Kept]:
        """What goes on over another wire, or is asked for again there."""
        found = {}
        for channel, held in self.by_channel.items():
            if held.grant is not None and (held.is_by_server or held.state is SubscriptionState.OPEN):
                number = 0 if held.is_by_server else held.command_id
                found[channel] = Kept(held.grant, held.is_by_server, held.wants_joins, held.expires_at, number)
            elif held.is_in:
                grant = held.grant or Grant(presence=True)
                found[channel] = Kept(grant, False, held.wants_joins, None, held.command_id, is_open=False)
        return found

    def await_again(self, channel: str, kept: Kept, now: float) -> None:
        """The client does not know that it has this one: it will ask for it, and until then, or for so many seconds,
        stays in its presence."""
        subscription = self.by_channel[channel] = Subscription(SubscribeRequest(channel), kept.number)
        subscription.grant, subscription.is_in = kept.grant, True
        self.extend(subscription, AGAIN_SECONDS, now)

    def promoted(self, is_in: set[str]) -> set[str]:
        """The wire was on trial and is current now: what goes to the current wire alone comes here. `is_in`: channels
        in whose presence the session is; those in which it is now."""
        stays = set()
        for channel, subscription in self.by_channel.items():
            slot, grant = subscription.slot, subscription.grant
            if slot is None or grant is None or subscription.state is not SubscriptionState.OPEN:
                continue
            if grant.delivery == "signal":
                self._host.tell(Attach(slot, subscription.watches))
            elif subscription.watches:
                self._host.tell(Watch(slot))
            if grant.presence:
                stays.add(channel)
                subscription.is_in = True
                if channel not in is_in:
                    self._enter(subscription)
        return stays

    def _open_all(self, now: float) -> None:
        """Start all that the session opens with, once every page is here."""
        pages, limits = self._pages, self._host.limits
        if pages is None or any(
            page is None and subscription.grant is not None and subscription.grant.delivery != "signal"
            for subscription, page in pages.items()
        ):
            return
        if self._read_again(pages, now):
            return
        self._pages, results, left = None, {}, limits.recovery_bytes
        later: list[tuple[Subscription, list[SlotOutput]]] = []
        for subscription, page in pages.items():
            slot = subscription.slot
            assert slot is not None
            if page is None:
                outputs = slot.start(limits, is_paused=self._host.is_paused)
            else:
                outputs = slot.page(page.page, limits, tail_from=page.tail_from)
            if outputs and isinstance(outputs[0], Started):
                result = subscription.started(outputs.pop(0))  # type: ignore[arg-type]
                if result is not None:
                    results[subscription.channel] = result
                    left -= sum(len(publication.data) for publication in result.publications)
            if self._host.is_trial and (left < 0 or subscription.channel not in results):
                results.pop(subscription.channel, None)
                self._forget(subscription)
                self._host.not_opened(subscription.channel)
                left = max(left, 0)
                continue
            later.append((subscription, outputs))
        self._host.opened(results, now)
        for subscription, outputs in later:
            if subscription.channel in results:
                self._enter(subscription)
            self._follow(subscription, outputs, now)
        self._drain(now)
        self._host.run_held(now)

    def _read_again(self, pages: dict[Subscription, PageRead | None], now: float) -> bool:
        """On trial: ask for new pages where what was published meanwhile does not follow the page that is here. What
        is missing in the connect result has ended."""
        if not self._host.is_trial:
            return False
        limits = self._host.limits
        stale = [
            (subscription, page, slot)
            for subscription, page in pages.items()
            if page is not None
            and (slot := subscription.slot) is not None
            and slot.would_read_again(page.page, limits, tail_from=page.tail_from)
        ]
        for subscription, page, slot in stale:
            pages[subscription] = None
            self._follow(subscription, slot.page(page.page, limits, tail_from=page.tail_from), now)
        return bool(stale)

    def extend(self, subscription: Subscription, ttl: float, now: float) -> None:
        """The subscription expires `ttl` seconds from now; 0: never."""
        subscription.expires_at = now + ttl if ttl > 0 else None
        self._find_first_end()

    def tick(self, now: float) -> None:
        """Time has passed: end those that have expired and were not refreshed."""
        grace = self._host.limits.expiry_grace_seconds
        for subscription in list(self.by_channel.values()):
            if subscription.expires_at is not None and now >= subscription.expires_at + grace:
                code = None if subscription.is_awaited else codes.SUBSCRIPTION_EXPIRED
                self.end(subscription, code, now)

    def _find_first_end(self) -> None:
        ends = [each.expires_at for each in self.by_channel.values() if each.expires_at is not None]
        self.expires_at = min(ends, default=None)

    # ---- what happens to them ------------------------------------------------------------------------------------

    def answered(self, subscription: Subscription, number: int, answer: Answer, now: float) -> None:
        """The answer to a call of this subscription."""
        if subscription.state is SubscriptionState.ENDED:
            return
        slot, host = subscription.slot, self._host
        if isinstance(answer, Grant) and slot is None:
            slot = subscription.granted(answer)
            self.extend(subscription, answer.ttl, now)
            host.tell(Attach(slot, subscription.watches))
            self._follow(subscription, slot.start(host.limits, is_paused=host.is_paused), now)
        elif isinstance(answer, PageRead) and slot is not None and number == subscription.read:
            subscription.read = 0
            if self._pages is not None:
                self._pages[subscription] = answer
                self._open_all(now)
                return
            self._follow(subscription, slot.page(answer.page, host.limits, tail_from=answer.tail_from), now)
            self._drain(now)
        elif self._pages is not None:
            host.end(codes.SERVER_ERROR)
        elif isinstance(answer, Failure) and subscription.state is not SubscriptionState.OPEN:
            self._refuse(subscription, answer, now)
        elif isinstance(answer, Failure):
            self.end(subscription, codes.INSUFFICIENT_STATE, now)

    def published(self, slot: Slot, first: int, last: int, epoch: str, now: float, *, count: int) -> None:
        """`count` publications that did not take the fast lane."""
        subscription = self.by_channel.get(slot.channel)
        if subscription is not None and subscription.slot is slot:
            self._follow(subscription, slot.published(first, last, epoch, self._host.limits, count=count), now)

    def compare(self, slot: Slot, top: Position, now: float) -> None:
        """Where the channel's log ends: a live slot that stands elsewhere has missed something."""
        subscription = self.by_channel.get(slot.channel)
        if subscription is None or subscription.slot is not slot or slot.state is not SlotState.LIVE:
            return
        if slot.delivery != "signal" and slot.position != top:
            self._follow(subscription, slot.gap(self._host.limits), now)

    def behind(self, slot: Slot, offset: int, now: float) -> None:
        """What follows `offset` is not in the shared tail any more."""
        subscription = self.by_channel.get(slot.channel)
        if subscription is not None and subscription.slot is slot:
            self._follow(subscription, slot.behind(offset, self._host.limits), now)

    def pause(self) -> None:
        """The wire is full."""
        self._draining = None
        for subscription in self.by_channel.values():
            if subscription.slot is not None and subscription.slot.state is not SlotState.NEW:
                subscription.slot.pause()

    def resume(self, now: float) -> None:
        """The wire takes bytes again."""
        self._draining = [held for held in self.by_channel.values() if held.slot is not None]
        self._drain(now)

    def end(self, subscription: Subscription, code: Code | None, now: float) -> None:
        """End one; with `code` the client is told: by a push, or where it still waits for the reply, by that."""
        if code is not None and subscription.state is not SubscriptionState.OPEN and not subscription.is_by_server:
            is_final = code.retry is Retry.FINAL
            self._refuse(subscription, Failure(codes.PERMISSION_DENIED if is_final else codes.INTERNAL), now)
            return
        self._forget(subscription)
        if self._pages is not None:  # the client was not told that it begins
            self._pages.pop(subscription, None)
            self._open_all(now)
            return
        if code is not None:
            push = Push(subscription.channel, unsubscribe=Unsubscribe(code.number, code.text))
            self._host.send(Reply(push=push))
        self._drain(now)

    def shut(self, *, leaves: bool = True) -> None:
        """The session, or its wire, is over: end all, tell nobody. Without `leaves` the session stays in presence."""
        self._draining = self._pages = None
        for subscription in list(self.by_channel.values()):
            self._forget(subscription, leaves=leaves)

    # ---- inside --------------------------------------------------------------------------------------------------

    def _follow(self, subscription: Subscription, outputs: list[SlotOutput], now: float) -> None:
        """Carry out what the slot says."""
        slot, host = subscription.slot, self._host
        assert slot is not None
        for output in outputs:
            if subscription.state is SubscriptionState.ENDED:
                return  # by what came before: nothing of the channel follows its end
            match output:
                case Read(since, limit, max_bytes):
                    opened = OpenCall(subscription.command_id, "page", subscription.channel, subscription)
                    subscription.read = host.call(ReadPage(slot.channel, since, limit, max_bytes), opened)
                case Started():
                    self._started(subscription, output, now)
                case Missed(publications):
                    host.tell(SendMissed(slot, publications))
                case Tail(first, last):
                    host.tell(SendTail(slot, first, last))
                case Dropped(count):
                    host.tell(Count("signal_slow", count))
                case Lost(was_slow):
                    self._lost(subscription, was_slow, now)

    def _started(self, subscription: Subscription, started: Started, now: float) -> None:
        result = subscription.started(started)
        if result is None:
            self._refuse(subscription, Failure(codes.UNRECOVERABLE_POSITION), now)
            return
        if subscription.is_by_server:
            self._push_start(subscription, result)
        else:
            self._host.send(Reply(id=subscription.command_id, subscribe=result))
        self._enter(subscription)
        if not subscription.is_by_server:
            self._host.release(subscription.channel, now)

    def _push_start(self, subscription: Subscription, result: SubscribeResult) -> None:
        """Tell the client of a subscription that it did not ask for, and what it is given to begin with."""
        given, slot = result.publications, subscription.slot
        assert slot is not None
        begin = Subscribe(
            recoverable=result.recoverable,
            epoch=result.epoch,
            offset=given[0].offset - 1 if given else result.offset,
            positioned=result.positioned,
            data=result.data,
        )
        self._host.send(Reply(push=Push(subscription.channel, subscribe=begin)))
        if given:
            self._host.tell(SendMissed(slot, given))

    def _enter(self, subscription: Subscription) -> None:
        grant = subscription.grant
        if grant is not None and grant.presence and not self._host.is_trial:
            subscription.is_in = True
            self._host.tell(Enter(subscription.channel, self._client_info(grant)))

    def _lost(self, subscription: Subscription, was_slow: bool, now: float) -> None:
        if was_slow:
            channel = subscription.channel
            self._host.end(codes.SLOW, f"history of {channel} no longer reaches back to what was sent")
        elif subscription.state is SubscriptionState.OPEN:
            self.end(subscription, codes.INSUFFICIENT_STATE, now)
        else:
            self._refuse(subscription, Failure(codes.INTERNAL), now)

    def _refuse(self, subscription: Subscription, failure: Failure, now: float) -> None:
        """The subscribe command fails."""
        command_id = subscription.command_id
        self._forget(subscription)
        if subscription.is_by_server:
            self._host.tell(Count("server_subscribe_failed", 1))
            return
        self._host.fail(command_id, failure)
        self._host.release(subscription.channel, now)

    def _forget(self, subscription: Subscription, *, leaves: bool = True) -> None:
        if self.by_channel.get(subscription.channel) is subscription:
            del self.by_channel[subscription.channel]
        if subscription.slot is not None:
            self._host.tell(Detach(subscription.slot))
        if subscription.is_in and leaves and not self._host.is_trial:
            self._host.tell(Leave(subscription.channel, self._host.client))
        subscription.end()
        if subscription.expires_at is not None:
            self._find_first_end()

    def _drain(self, now: float) -> None:
        """Let the next slot that fell behind catch up, unless one still does or the wire is full again."""
        while self._draining and not self._host.is_paused and self._host.is_connected:
            slot = self._draining[-1].slot
            if slot is None or slot.state not in (SlotState.LAGGING, SlotState.CATCHING_UP):
                self._draining.pop()
                continue
            self._follow(self._draining[-1], slot.drain(self._host.limits), now)
            if slot.state is SlotState.CATCHING_UP:
                return  # goes on when its history has been read

    def _client_info(self, grant: Grant) -> ClientInfo:
        host = self._host
        return ClientInfo(
            user=host.user,
            client=host.client,
            conn_info=UNSET if host.info is None else host.info,
            chan_info=UNSET if grant.info is None else grant.info,
        )
