"""All channels of a client: what it wants of the server, has asked for, and has.

It knows channels and positions. On which wire a command goes, and which replies count while a move is on its way, is
`ClientCommands`' matter; of a wire it needs only what that has said of channels.
"""

from collections.abc import Callable

from wirehop.client.backoff import FIRST_DELAY
from wirehop.client.link import Link
from wirehop.client.messages import ClientConnectResult, ClientReply, ClientSubscribeResult
from wirehop.client.outgoing import Outgoing
from wirehop.client.outputs import ClientOutput, Delivered, Subscribed, Unsubscribed
from wirehop.client.subscription import ClientSubscription, ClientSubscriptionState
from wirehop.codecs.json_lines import WirePublication
from wirehop.core import codes
from wirehop.core.messages import Command, Error, Position, Stated, Subscribe, SubscribeRequest, UnsubscribeRequest

_LIVE, _WANTED = ClientSubscriptionState.LIVE, ClientSubscriptionState.WANTED


class ClientSubscriptions:
    """`by_channel` are those that are wanted; `ask_at` is when to ask again for some that failed for the moment. `out`
    takes what comes of it."""

    def __init__(self, outgoing: Outgoing, out: list[ClientOutput], *, jitter: Callable[[], float]) -> None:
        self.by_channel: dict[str, ClientSubscription] = {}
        self.ask_at: float | None = None
        self._outgoing = outgoing
        self._out = out
        self._jitter = jitter
        self._asked: dict[int, str] = {}  # number of a subscribe command → channel
        self._leaving: list[str] = []  # channels to unsubscribe from

    # ---- what the application asks -----------------------------------------------------------------------------------

    def want(self, channel: str, position: Position | None, *, join_leave: bool) -> bool:
        """Want the channel, from `position` if one is known. False: it is wanted already."""
        if channel in self.by_channel:
            return False
        self.by_channel[channel] = ClientSubscription(channel, position=position, join_leave=join_leave)
        return True

    def leave(self, channel: str, *, has_wire: bool) -> bool:
        """Do not want it any more; whether the server has to be told."""
        subscription = self.by_channel.pop(channel, None)
        if subscription is None:
            return False
        is_asked = channel in self._asked.values()
        self._asked = {number: asked for number, asked in self._asked.items() if asked != channel}
        is_known = is_asked or (subscription.state is _LIVE and has_wire)
        if is_known:
            self._leaving.append(channel)
        return is_known

    # ---- what is said to the server ----------------------------------------------------------------------------------

    def stated(self) -> dict[str, Stated]:
        """Where those that are live stand, for a new wire of the session."""
        held = self.by_channel.values()
        return {each.channel: each.stated for each in held if each.was_live and each.state is _LIVE}

    def by_server(self) -> dict[str, SubscribeRequest]:
        """Where those stand that the server has made, for a new session."""
        held = self.by_channel.values()
        return {each.channel: each.request() for each in held if each.is_by_server and each.position is not None}

    def ask_for_all(self) -> list[Command]:
        """Subscribe commands for all that a new session does not bring by itself."""
        return [self._ask(each) for each in self.by_channel.values() if not each.is_by_server]

    def commands(self, *, is_connected: bool) -> list[Command]:
        """What is to be ended, and what is to be asked for."""
        leaving, self._leaving = self._leaving, []
        commands = [self._outgoing.number(Command(unsubscribe=UnsubscribeRequest(each))) for each in leaving]
        if self.ask_at is None:
            wanted = [each for each in self.by_channel.values() if each.state is _WANTED]
            commands += [self._ask(each) for each in wanted if is_connected or not each.is_by_server]
        return commands

    def renew(self) -> None:
        """Subscribes that are not answered go on a new wire: from where their channels stand now."""
        for number, channel in self._asked.items():
            subscription, sent = self.by_channel.get(channel), self._outgoing.sent.get(number)
            if subscription is not None and sent is not None:
                sent.command = subscription.ask(number)

    def _ask(self, subscription: ClientSubscription) -> Command:
        command = self._outgoing.number(subscription.ask(0))
        self._asked[command.id] = subscription.channel
        return command

    # ---- what the server says ----------------------------------------------------------------------------------------

    def asked(self, number: int) -> str | None:
        """The channel that a subscribe command was for, which has its reply now."""
        return self._asked.pop(number, None)

    def answered(self, link: Link, channel: str, reply: ClientReply, now: float) -> ClientSubscription | None:
        """The reply to a subscribe command; the subscription if it is live by it."""
        subscription = self.by_channel.get(channel)
        if subscription is None:
            return None
        if reply.error is not None:
            self._refused(subscription, reply.error, now)
        elif reply.subscribe is not None:
            self._grant(link, subscription, reply.subscribe)
            return subscription
        return None

    def begins(self, link: Link, result: ClientConnectResult) -> None:
        """A new session has these, and not those that the server had made before."""
        for channel, given in result.subs.items():
            self._given(link, channel, given)
        for subscription in list(self.by_channel.values()):
            if subscription.is_by_server and subscription.channel not in result.subs:
                self._drop(subscription, codes.UNSUBSCRIBED.number, "the server does not subscribe it any more")

    def goes_on(self, link: Link, channel: str, result: ClientSubscribeResult) -> None:
        """A subscription of the resumed session, on the wire that is on trial."""
        if channel in self.by_channel or channel not in link.stated:
            self._given(link, channel, result)
        link.epochs[channel] = result.epoch

    def begun(self, link: Link, channel: str, pushed: Subscribe) -> None:
        """The server has subscribed the session."""
        result = ClientSubscribeResult(epoch=pushed.epoch, offset=pushed.offset, recoverable=pushed.recoverable)
        self._given(link, channel, result)

    def published(self, link: Link, channel: str, publication: WirePublication) -> None:
        """A publication came."""
        subscription = self.by_channel.get(channel)
        if subscription is None or subscription.state is not _LIVE:
            return
        position = subscription.position
        if publication.offset and position is not None and link.epochs.get(channel) != position.epoch:
            return  # of a log that is not there any more
        if subscription.received(publication):
            self._out.append(Delivered(channel, publication))

    def ended(self, channel: str, code: int, reason: str) -> bool:
        """The server has ended it: it is over, or asked for anew. False where that speaks of one that was let go."""
        subscription = self.by_channel.get(channel)
        if subscription is None or subscription.state is not _LIVE:
            return False
        row = codes.find(code)
        if row is not None and row.retry is codes.Retry.RECONNECT:
            subscription.state = _WANTED
        else:
            self._drop(subscription, code, reason)
        return True

    def settle(self, link: Link) -> None:
        """The wire has taken over: what was named and does not go on has ended, or is asked for anew."""
        going = link.result.wh.subs if link.result is not None and link.result.wh is not None else {}
        for channel in link.stated:
            if channel not in going:
                self.ended(channel, link.ended.get(channel, codes.INSUFFICIENT_STATE.number), "it ended meanwhile")
        for subscription in self.by_channel.values():
            if subscription.state is _LIVE and subscription.channel not in link.epochs:
                subscription.state = _WANTED

    def begin_anew(self) -> None:
        """The session is over: all are asked for in the next one."""
        self._asked, self._leaving = {}, []
        for subscription in self.by_channel.values():
            subscription.state = _WANTED

    def end(self) -> None:
        """Nothing more will be asked."""
        self._asked, self._leaving, self.ask_at = {}, [], None

    def _given(self, link: Link, channel: str, result: ClientSubscribeResult) -> None:
        """What a connect result says of a channel: one of ours, or one that the server subscribes the session to."""
        subscription = self.by_channel.get(channel)
        if subscription is None:
            subscription = self.by_channel[channel] = ClientSubscription(channel, is_by_server=True)
        self._grant(link, subscription, result)

    def _grant(self, link: Link, subscription: ClientSubscription, result: ClientSubscribeResult) -> None:
        recovered = result.recovered if subscription.was_live and result.was_recovering else None
        if subscription.was_live and subscription.position is not None and not result.was_recovering:
            recovered = False
        link.epochs[subscription.channel] = result.epoch
        fresh = subscription.granted(epoch=result.epoch, offset=result.offset, publications=result.publications)
        channel = subscription.channel
        self._out.append(Subscribed(channel, recovered, subscription.position, subscription.is_by_server))
        self._out += [Delivered(channel, publication) for publication in fresh]

    def _refused(self, subscription: ClientSubscription, error: Error, now: float) -> None:
        if error.temporary:
            subscription.state = _WANTED
            self.ask_at = now + FIRST_DELAY + self._jitter()
            return
        self._drop(subscription, error.code, error.message)

    def _drop(self, subscription: ClientSubscription, code: int, reason: str) -> None:
        del self.by_channel[subscription.channel]
        subscription.state = ClientSubscriptionState.ENDED
        self._out.append(Unsubscribed(subscription.channel, code, reason))
