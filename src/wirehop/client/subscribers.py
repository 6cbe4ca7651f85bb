"""Who wants a client's channels, one subscriber each, and what is brought to them."""

import logging
from collections.abc import Callable
from typing import Protocol, TypeVar

from wirehop.client.errors import ClientClosed, ClientError, RequestFailed, SubscriptionEnded
from wirehop.client.outputs import Delivered, PresenceChanged, Subscribed, Unsubscribed
from wirehop.codecs.json_lines import WirePublication
from wirehop.core import codes
from wirehop.core.messages import Error

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


class Subscribers:
    """By channel."""

    def __init__(self) -> None:
        self._by_channel: dict[str, Subscriber] = {}

    def enter(self, subscriber: Subscriber) -> None:
        """It is the one subscriber of its channel from now on. Raises `RequestFailed` (105) if there is another."""
        if subscriber.channel in self._by_channel:
            code = codes.ALREADY_SUBSCRIBED
            raise RequestFailed(Error(code.number, f"{code.text}: {subscriber.channel}"))
        self._by_channel[subscriber.channel] = subscriber

    def leave(self, subscriber: Subscriber) -> bool:
        """It wants no more. False where it is not the one of its channel."""
        if self._by_channel.get(subscriber.channel) is not subscriber:
            return False
        del self._by_channel[subscriber.channel]
        return True

    def bring(self, output: Subscribed | Delivered | PresenceChanged | Unsubscribed) -> None:
        """To the channel's subscriber; what comes for one that has left is not wanted any more."""
        subscriber = self._by_channel.get(output.channel)
        if subscriber is None:
            return
        match output:
            case Delivered(_, publication):
                subscriber.delivered(publication)
            case Subscribed():
                tell(subscriber.subscribed, output)
            case PresenceChanged():
                tell(subscriber.changed, output)
            case Unsubscribed(channel, code, reason):
                subscriber.ended(SubscriptionEnded(channel, code, reason))

    def end(self, code: int, reason: str) -> None:
        """The client is closed: nothing more will come to any of them."""
        for subscriber in list(self._by_channel.values()):
            subscriber.ended(ClientClosed(code, reason))


def tell(callback: Callable[[T], None] | None, value: T) -> None:
    """Call what the application gave; its failure is its own."""
    if callback is not None:
        try:
            callback(value)
        except Exception:
            log.exception("a callback of the application failed")
