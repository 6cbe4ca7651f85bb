"""`wirehop subscribe CHANNEL`: what is published, as it comes, over a wire of one's choice."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Literal, cast

import click
import msgspec
from msgspec import Raw, Struct

from wirehop.cli.shared import token_option, url_option
from wirehop.cli.show import Screen, Shown
from wirehop.client.address import channel_path, read_address
from wirehop.client.client import WIRES as AUTO
from wirehop.client.client import Client, WireName
from wirehop.client.errors import RequestFailed
from wirehop.client.events import ChannelEvents, StreamChanged
from wirehop.client.http import HttpClient
from wirehop.client.outputs import StateChanged
from wirehop.client.publication import Publication
from wirehop.client.states import ClientState
from wirehop.client.wire import read_refusal
from wirehop.codecs.cursor import decode_position, encode_position
from wirehop.codecs.event_stream import Event
from wirehop.codecs.json_lines import WirePublication
from wirehop.codecs.payload import ENCODING_TAG
from wirehop.core.messages import Position

WIRES = ("auto", "websocket", "sse", "stream", "long-poll", "short-poll", "events")


class Asked(Struct, frozen=True):
    """What the command line asks for."""

    channel: str
    url: str
    wire: Literal["auto", "websocket", "sse", "stream", "long-poll", "short-poll", "events"]
    token: str
    since: str
    history: int


@click.command()
@click.argument("channel")
@url_option
@token_option
@click.option(
    "--wire",
    type=click.Choice(WIRES),
    default="auto",
    show_default=True,
    help="`auto` takes the first that works; `events` is the channel's URL as an event stream.",
)
@click.option("--count", metavar="N", type=click.IntRange(min=1), help="Stop after so many publications.")
@click.option("--timeout", metavar="SECONDS", type=click.FloatRange(min=0), help="Stop after this time.")
@click.option("--since", metavar="CURSOR", default="", help="Go on from a position that `publish` or --json printed.")
@click.option("--history", metavar="N", type=click.IntRange(min=0, max=1000), default=0, help="First the newest N.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line; states on stderr.")
def subscribe(
    channel: str,
    *,
    url: str,
    token: str,
    wire: str,
    count: int | None,
    timeout: float | None,
    since: str,
    history: int,
    as_json: bool,
) -> None:
    """Show what is published to CHANNEL, as it comes, until interrupted.

    It reconnects by itself and says whether everything missed came along. Exit code 1 where --count publications did
    not come within --timeout.
    """
    if since and decode_position(since) is None:
        raise click.BadParameter(f"{since!r} is not a cursor (EPOCH:OFFSET)", param_hint="--since")
    if since and history:
        raise click.UsageError("--since and --history contradict each other: a cursor brings what follows it")
    asked = Asked(channel, url, cast(Any, wire), token, since, history)
    shown = asyncio.run(_show(asked, Screen(as_json=as_json), count=count, timeout=timeout))
    if count is not None and shown < count:
        within = "" if timeout is None else f" within {timeout:g} s"
        raise click.ClickException(f"{shown} of {count} publications came{within}")


async def _show(asked: Asked, screen: Screen, *, count: int | None, timeout: float | None) -> int:
    """Show them; how many."""
    shown = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout), contextlib.aclosing(_publications(asked, screen)) as publications:
            async for publication in publications:
                screen.publication(publication)
                shown += 1
                if shown == count:
                    break
    return shown


def _publications(asked: Asked, screen: Screen) -> AsyncGenerator[Shown, None]:
    return _events(asked, screen) if asked.wire == "events" else _session(asked, screen)


# ---- over a session --------------------------------------------------------------------------------------------------


async def _session(asked: Asked, screen: Screen) -> AsyncGenerator[Shown, None]:
    def changed(change: StateChanged) -> None:
        if change.state is ClientState.WAITING:
            screen.lost(change.reason, change.delay)

    wires = AUTO if asked.wire == "auto" else (cast(WireName, asked.wire),)
    position = decode_position(asked.since)
    async with Client(asked.url, token=asked.token, wires=wires, timeout=None, on_state=changed) as client:
        if asked.history:
            found, position = await client.history(asked.channel, limit=asked.history, reverse=True)
            for publication in reversed(found):
                yield _shown(publication)
        async with client.subscribe(
            asked.channel,
            position=position,
            on_subscribed=lambda live: screen.live(recovered=live.recovered, where=client.wire),
        ) as subscription:
            async for publication in subscription:
                yield _shown(publication)


def _shown(publication: Publication) -> Shown:
    position = publication.position
    return Shown(
        publication.channel,
        Raw(publication.raw),
        publication.offset,
        encode_position(position) if position is not None else "",
        publication.event,
        publication.time,
        publication.key,
        publication.tags.get(ENCODING_TAG, ""),
    )


# ---- over the channel's URL ------------------------------------------------------------------------------------------


class _Page(Struct):
    cursor: str
    epoch: str
    publications: list[WirePublication]


async def _events(asked: Asked, screen: Screen) -> AsyncGenerator[Shown, None]:
    def changed(change: StreamChanged) -> None:
        if change.is_open:
            screen.live(recovered=change.recovered, where="events")
        else:
            screen.lost(change.reason, change.delay)

    cursor = asked.since
    if asked.history:
        page = await _page(asked)
        for wire in reversed(page.publications):
            position = Position(page.epoch, wire.offset)
            yield _shown(Publication(asked.channel, wire, position, is_after_gap=False))
        cursor = page.cursor
    source = ChannelEvents(asked.url, asked.channel, cursor=cursor, token=asked.token, on_change=changed)
    async with contextlib.aclosing(aiter(source)) as events:
        async for event in events:
            yield _shown_event(asked.channel, event)


async def _page(asked: Asked) -> _Page:
    http = HttpClient(read_address(asked.url), token=asked.token)
    try:
        path = f"{channel_path(asked.channel)}?limit={asked.history}&reverse=1"
        response = await http.request("GET", path)
    finally:
        await http.close()
    if response.status != 200:
        raise RequestFailed(read_refusal(response.status, response.body))
    return msgspec.json.decode(response.body, type=_Page)


def _shown_event(channel: str, event: Event) -> Shown:
    """An event stream tells neither the time nor whether its text is JSON; what can be read as JSON is JSON."""
    data = event.data.encode()
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        data = msgspec.json.encode(event.data)
    position = decode_position(event.id)
    return Shown(
        channel,
        Raw(data),
        position.offset if position is not None else 0,
        event.id,
        "" if event.event == "message" else event.event,
    )
