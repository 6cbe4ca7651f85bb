"""What a session is to its subscriptions, and what the two tell one another."""

from typing import Protocol

from msgspec import Raw, Struct

from wirehop.core.codes import Code
from wirehop.core.effects import Failure, Grant, Output, Request
from wirehop.core.limits import Limits
from wirehop.core.messages import Reply, SubscribeRequest, SubscribeResult
from wirehop.core.subscription import Subscription


class OpenCall(Struct, frozen=True):
    """A call that is open: for a command (`command_id`, `kind`), or for a subscription."""

    command_id: int
    kind: str
    channel: str
    subscription: Subscription | None = None


class Opening(Struct, frozen=True):
    """A subscription that a session begins with: what it was granted, and from where."""

    grant: Grant
    request: SubscribeRequest
    is_by_server: bool = True


class SubscriptionHost(Protocol):
    """The session, as its subscriptions see it."""

    client: str
    user: str
    info: Raw | None
    is_paused: bool

    @property
    def limits(self) -> Limits: ...

    @property
    def is_connected(self) -> bool: ...

    @property
    def is_trial(self) -> bool: ...

    def call(self, request: Request, opened: OpenCall) -> int: ...

    def send(self, reply: Reply) -> None: ...

    def tell(self, output: Output) -> None: ...

    def fail(self, command_id: int, failure: Failure) -> None: ...

    def end(self, code: Code, reason: str = "") -> None: ...

    def release(self, channel: str, now: float) -> None: ...

    def opened(self, subs: dict[str, SubscribeResult], now: float) -> None: ...

    def not_opened(self, channel: str) -> None: ...

    def run_held(self, now: float) -> None: ...
