"""The list of channels, as the admin page shows it, and how fast each is published to.

Rates come from counters that the hub keeps anyway, read by a walk over all channels when somebody asks, at most once
a second. Nobody looking, nothing done.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from wirehop.hub.channel import Channel
from wirehop.node.node import Node
from wirehop.pages.admin.scan import SLICE, Found, Wanted, scan

SAMPLE_SECONDS = 1.0
"""Rates are taken over at least this long."""
STALE_SECONDS = 30.0
"""A sample that is older says nothing of now: rates begin anew."""
MOST_COUNTED = 200
"""Values of a `latest` channel are counted up to this many."""


class ChannelRow(Struct, frozen=True):
    """`rate` in publications per second, None where it is not known yet; `kept` publications in history, `top` its
    last offset; `kept_more`: there are more than that."""

    channel: str
    subscribers: int
    rate: float | None
    delivery: str
    kept: int
    kept_more: bool
    top: int
    presence: bool


class Rates:
    """Publications per second of each channel with subscribers, and how many subscriptions there are in all."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = asyncio.Lock()
        self._at: float | None = None
        self._before: dict[str, int] = {}
        self._rates: dict[str, float] = {}
        self.subscriptions = 0

    async def sample(self) -> None:
        """Read all counters, if that was not done a moment ago."""
        async with self._lock:
            now = self._node.clock.now()
            past = None if self._at is None else now - self._at
            if past is not None and past < SAMPLE_SECONDS:
                return
            counted, subscriptions = {}, 0
            for number, channel in enumerate(list(self._node.hub.channels.values()), 1):
                counted[channel.name] = channel.published
                subscriptions += channel.count
                if number % SLICE == 0:
                    await asyncio.sleep(0)
            self._rates = {}
            if past is not None and past < STALE_SECONDS:
                self._rates = {
                    name: max(0, count - self._before.get(name, 0)) / past for name, count in counted.items()
                }
            self._at, self._before, self.subscriptions = now, counted, subscriptions

    def of(self, name: str) -> float | None:
        """Of one channel; None before two samples were taken."""
        rate = self._rates.get(name)
        return None if rate is None else round(rate, 2)


async def channel_page(node: Node, rates: Rates, wanted: Wanted) -> Found[ChannelRow]:
    """One page of the channels with subscribers here; those with most of them first, unless it is sorted otherwise."""
    await rates.sample()
    keys: dict[str, Callable[[Channel], Any]] = {
        "channel": lambda channel: channel.name,
        "subscribers": lambda channel: channel.count,
        "rate": lambda channel: rates.of(channel.name) or 0.0,
    }
    search = wanted.search
    found = await scan(
        list(node.hub.channels.values()),
        offset=wanted.offset,
        limit=wanted.limit,
        matches=(lambda channel: search in channel.name.lower()) if search else None,
        key=keys.get(wanted.sort, keys["subscribers"]),
        descending=wanted.descending,
    )
    rows = [await channel_row(node, rates, channel.name) for channel in found.rows]
    return Found(rows, found.matched, found.reachable)


async def channel_row(node: Node, rates: Rates, name: str) -> ChannelRow:
    """One channel, also one without subscribers."""
    options = node.policy.options(name)
    channel = node.hub.channels.get(name)
    kept, has_more, top = 0, False, 0
    if options.delivery == "log":
        page = await node.broker.history(name, None, limit=1, max_bytes=1)
        top = page.top.offset
        kept = top - page.publications[0].offset + 1 if page.publications else 0
    elif options.delivery == "latest":
        page = await node.broker.history(name, None, limit=MOST_COUNTED, max_bytes=node.limits.page_bytes)
        kept, has_more, top = len(page.publications), page.has_more, page.top.offset
    return ChannelRow(
        channel=name,
        subscribers=0 if channel is None else channel.count,
        rate=rates.of(name),
        delivery=options.delivery,
        kept=kept,
        kept_more=has_more,
        top=top,
        presence=options.presence,
    )
