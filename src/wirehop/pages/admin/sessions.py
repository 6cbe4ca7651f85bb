"""The list of sessions, and one session in detail, as the admin page shows them."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from wirehop.core.subscription import Subscription
from wirehop.node.driver import Driver
from wirehop.node.node import Node
from wirehop.pages.admin.scan import Found, Wanted, scan


class SessionRow(Struct, frozen=True):
    """`age` in seconds; `waiting` are unsent bytes, as far as the wire says; `drops` are messages it did not get."""

    client: str
    user: str
    wire: str
    address: str
    age: float
    channels: int
    waiting: int
    drops: int
    is_congested: bool
    is_admin: bool
    state: str


class SubscriptionRow(Struct, frozen=True):
    """`offset` is the last one sent (0 in `signal` channels)."""

    channel: str
    state: str
    epoch: str
    offset: int
    delivery: str
    is_by_server: bool


class SessionDetail(Struct, frozen=True):
    """One session; at most as many subscriptions as a session may have."""

    session: SessionRow
    origin: str
    user_agent: str
    subscriptions: list[SubscriptionRow]


KEYS: dict[str, Callable[[Driver], Any]] = {
    "user": lambda driver: driver.session.user,
    "address": lambda driver: driver.peer.address,
    "wire": lambda driver: driver.wire_name,
    "channels": lambda driver: len(driver.session.subscriptions),
    "drops": lambda driver: driver.drops,
    "waiting": lambda driver: _waiting(driver),
}
"""What the list can be sorted by, beside age: that is the order in which sessions are kept."""


async def session_page(node: Node, wanted: Wanted, *, wire: str = "") -> Found[SessionRow]:
    """One page; newest first, unless it is sorted otherwise. `wire`: only sessions on this kind of wire."""
    drivers = list(node.sessions.values())
    key = KEYS.get(wanted.sort)
    if key is not None or not wanted.descending:  # newest first, also among equals
        drivers.reverse()
    found = await scan(
        drivers,
        offset=wanted.offset,
        limit=wanted.limit,
        matches=_matcher(wanted.search, wire),
        key=key,
        descending=wanted.descending,
    )
    now = node.clock.now()
    return Found([_row(driver, now) for driver in found.rows], found.matched, found.reachable)


def session_detail(node: Node, client: str) -> SessionDetail | None:
    """One session; None if it is not here (any more)."""
    driver = node.sessions.get(client)
    if driver is None:
        return None
    subscriptions = [_subscription(each) for each in driver.session.subscriptions.values()]
    return SessionDetail(
        _row(driver, node.clock.now()), driver.peer.origin[:256], driver.peer.user_agent[:256], subscriptions
    )


def _matcher(search: str, wire: str) -> Callable[[Driver], bool] | None:
    if not search and not wire:
        return None

    def matches(driver: Driver) -> bool:
        if wire and driver.wire_name != wire:
            return False
        session = driver.session
        return search in f"{session.user}\n{driver.peer.address}\n{session.client}".lower()

    return matches


def _row(driver: Driver, now: float) -> SessionRow:
    session = driver.session
    return SessionRow(
        client=session.client,
        user=session.user,
        wire=driver.wire_name,
        address=driver.peer.address,
        age=round(now - driver.opened_at, 1),
        channels=len(session.subscriptions),
        waiting=_waiting(driver),
        drops=driver.drops,
        is_congested=session.is_paused,
        is_admin=driver.is_admin,
        state=session.state.name.lower(),
    )


def _waiting(driver: Driver) -> int:
    """Bytes that wait for the wire: in the outbox, and in the transport where that is asyncio's."""
    unsent = getattr(driver.wire.out, "get_write_buffer_size", None) if driver.wire is not None else None
    return driver.waiting + (int(unsent()) if unsent is not None else 0)


def _subscription(subscription: Subscription) -> SubscriptionRow:
    slot = subscription.slot
    position = slot.position if slot is not None else None
    return SubscriptionRow(
        channel=subscription.channel,
        state=subscription.state.name.lower() if slot is None else slot.state.name.lower().replace("_", " "),
        epoch=position.epoch if position is not None else "",
        offset=position.offset if position is not None else 0,
        delivery=slot.delivery if slot is not None else "",
        is_by_server=subscription.is_by_server,
    )
