"""The server's part of the lab page: links that impair, messages to race, and breaks.

rpc lab.open    {"wires": ["sse", …]}                     the page's own links: {"ports": {…}, "presets": {…}, …}
rpc lab.link    {"delay": 50, "loss": 0.01, …}            what they are like from now on (`presets.Conditions`)
rpc lab.clock                                             the server's time, for the offset of the clocks
rpc lab.race    {"id": "…", "wires": […], "count": 1000}  publish it (`race.Race`)
rpc lab.stop                                              end it
rpc lab.state                                             {"traffic": …, "counts": …, "racing": …}
rpc lab.bytes   {"wire": "sse", "number": 12}             the anatomy of a message
rpc lab.break   {"what": "roam"}                          once, at once
rpc lab.ticks   {"id": "…"}                               ten publications, 100 ms apart

A page has its links for `IDLE_SECONDS` after its last call; at most `PAGES` have some. For development: who reaches the
server may open ports on 127.0.0.1 with it, which lead to the server and nowhere else.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

from msgspec import Struct, structs

from wirehop.checker.traffic import Direction, Traffic
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.lab import race
from wirehop.lab.advice import install_advisor
from wirehop.lab.anatomy import Anatomy, find
from wirehop.lab.links import Links
from wirehop.lab.presets import PRESETS, PROXIES, Conditions, Preset
from wirehop.lab.tables import install_tables
from wirehop.node import Client, Node
from wirehop.settings.tree import Namespace, Settings

log = logging.getLogger("wirehop.lab")
PAGES: Final = 4
IDLE_SECONDS: Final = 60.0
WATCH_SECONDS: Final = 5.0
TUNNEL_SECONDS: Final = 10.0
RESTART_SECONDS: Final = 1.0
HOLE_SECONDS: Final = 5.0
TICKS: Final = 10
TICK_SECONDS: Final = 0.1
WIRES: Final = ("websocket", "stream", "sse", "long-poll", "short-poll", "jsonp")
NAMESPACES: Final[Mapping[str, Namespace]] = {
    "lab-race": Namespace(history_size=6_000, history_age=120, subscribe="anyone", publish="nobody"),
    "lab-cut": Namespace(history_size=6_000, history_age=120, subscribe="anyone", publish="anyone"),
}
Break = Literal["drop", "tunnel", "hole", "restart", "roam"]


class Wanted(Struct):
    """What `lab.open` is asked with."""

    wires: tuple[str, ...] = WIRES


class Opened(Struct, frozen=True):
    """What the page gets: its ports, and the links that have names."""

    ports: dict[str, int]
    presets: Mapping[str, Preset]
    proxies: list[str]


class State(Struct, frozen=True):
    """What passed over the page's links, how often each fault was applied, and whether its race is on."""

    traffic: Mapping[str, Mapping[Direction, Traffic]]
    counts: dict[str, int]
    racing: bool


class Message(Struct):
    """One that raced."""

    wire: str
    number: int


class Breaking(Struct):
    """What is to break. `sessions` are the page's own client ids, which a restart ends."""

    what: Break
    sessions: tuple[str, ...] = ()


class Named(Struct):
    """By what a page names its channel."""

    id: str


class Page:
    """One page of the lab: its links, its race, and when it was heard of."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self.heard = time.monotonic()
        self.racing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Let go of everything."""
        await self.end_race()
        await self.links.stop()

    async def end_race(self) -> None:
        """Publish nothing more."""
        if self.racing is not None:
            self.racing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.racing
            self.racing = None


class Lab:
    """The methods. Without `url`, where the links lead to, there are no links."""

    def __init__(self, node: Node) -> None:
        self.url = ""
        self._node = node
        self._pages: dict[str, Page] = {}
        for name in ("open", "link", "clock", "race", "stop", "state", "bytes", "break", "ticks"):
            node.rpc(f"lab.{name}")(getattr(self, f"on_{name}"))

    async def run(self, _node: Node) -> None:
        """Forget pages that are gone, until cancelled; then all."""
        try:
            while True:
                await asyncio.sleep(WATCH_SECONDS)
                self.forget_idle()
        finally:
            for page in self._pages.values():
                await page.close()
            self._pages.clear()

    def forget_idle(self) -> None:
        """Close the links of pages that are gone."""
        for client, page in list(self._pages.items()):
            if time.monotonic() - page.heard > IDLE_SECONDS:
                del self._pages[client]
                self._node.spawn(page.close())

    async def on_open(self, client: Client, wanted: Wanted) -> Opened:
        """Links of the page's own; those that it has already, if it asks again."""
        page = self._pages.get(client.id)
        if page is None:
            page = self._pages[client.id] = await self._open(wanted)
        page.heard = time.monotonic()
        return Opened(page.links.ports, PRESETS, [name for name in PROXIES if name])

    async def _open(self, wanted: Wanted) -> Page:
        where = urlsplit(self.url)
        if where.port is None or where.hostname is None:
            raise Refused(codes.NOT_AVAILABLE, "the lab is not open here")
        if len(self._pages) >= PAGES:
            raise Refused(codes.NOT_AVAILABLE, f"{PAGES} pages of the lab are open; close one, or wait a minute")
        if not {*wanted.wires} <= {*WIRES}:
            raise Refused(codes.BAD_REQUEST, f"wires are some of {', '.join(WIRES)}")
        try:
            return Page(await Links(where.hostname, where.port, wanted.wires).start())
        except OSError as error:
            raise Refused(codes.NOT_AVAILABLE, f"no port for the links: {error.strerror}") from error

    async def on_link(self, client: Client, wanted: Conditions) -> Conditions:
        """Other links from now on."""
        page = self._page(client)
        if wanted.proxy not in PROXIES:
            raise Refused(codes.BAD_REQUEST, f"proxy is one of {', '.join(filter(None, PROXIES))}")
        if not (0 <= wanted.delay <= 5_000 and 0 <= wanted.jitter <= 5_000 and 0 <= wanted.loss <= 0.9):
            raise Refused(codes.BAD_REQUEST, "delay and jitter are up to 5,000 ms, loss is up to 0.9")
        least = 1_000
        if any(0 < rate < least for rate in (wanted.down, wanted.up)) or min(wanted.down, wanted.up, wanted.queue) < 0:
            raise Refused(codes.BAD_REQUEST, f"bandwidths are {least:,} bytes a second or more, or 0: no limit")
        if wanted.tunnel_every < 0 or (wanted.tunnel_every and not 0 < wanted.tunnel_seconds < 60):
            raise Refused(codes.BAD_REQUEST, "a tunnel takes less than 60 s")
        await page.links.set(wanted)
        return wanted

    async def on_clock(self, _client: Client) -> float:
        """The server's time in milliseconds, of no date."""
        return race.milliseconds()

    async def on_race(self, client: Client, wanted: race.Race) -> race.Race:
        """Publish it. One that is on ends."""
        page = self._page(client)
        if problem := wanted.problem():
            raise Refused(codes.BAD_REQUEST, problem)
        await page.end_race()
        page.racing = asyncio.create_task(race.run(wanted, self._node.publish))
        return wanted

    async def on_stop(self, client: Client) -> None:
        """End the race."""
        await self._page(client).end_race()

    async def on_state(self, client: Client) -> State:
        """What passed."""
        page = self._page(client)
        is_racing = page.racing is not None and not page.racing.done()
        return State(page.links.traffic(), page.links.counts(), is_racing)

    async def on_bytes(self, client: Client, wanted: Message) -> Anatomy:
        """What a message was on the wire."""
        recording = self._page(client).links.recording(wanted.wire)
        anatomy = None if recording is None else find(recording, wanted.wire, wanted.number)
        if anatomy is None:
            raise Refused(codes.NOT_AVAILABLE, f"message {wanted.number} is not kept any more on {wanted.wire}")
        return anatomy

    async def on_break(self, client: Client, wanted: Breaking) -> int:
        """Break it; how many connections that met."""
        links = self._page(client).links
        match wanted.what:
            case "drop":
                return links.cut()
            case "roam":
                return links.roam()
            case "tunnel":
                await links.tunnel(TUNNEL_SECONDS)
            case "hole":
                await links.black_hole(HOLE_SECONDS)
            case "restart":
                for session in wanted.sessions[:16]:
                    self._node.disconnect(session, codes.SHUTDOWN)
                await links.down(RESTART_SECONDS)
        return 0

    async def on_ticks(self, _client: Client, wanted: Named) -> None:
        """Publish them."""
        if not (wanted.id.isalnum() and len(wanted.id) <= 40):
            raise Refused(codes.BAD_REQUEST, "id is up to 40 letters and digits")
        self._node.spawn(self._tick(f"{race.PREFIX}{wanted.id}"))

    async def _tick(self, channel: str) -> None:
        for number in range(TICKS):
            await self._node.publish(channel, {"tick": number, "at": race.milliseconds()})
            await asyncio.sleep(TICK_SECONDS)

    def _page(self, client: Client) -> Page:
        page = self._pages.get(client.id)
        if page is None:
            raise Refused(codes.NOT_AVAILABLE, "this page has no links: call lab.open")
        page.heard = time.monotonic()
        return page


def lab_settings(settings: Settings) -> Settings:
    """The settings with the lab's namespaces, where they are not configured otherwise."""
    return structs.replace(settings, namespaces={**NAMESPACES, **settings.namespaces})


def install_lab(node: Node) -> Lab:
    """Register the lab's methods, the advisor's and the tables', with a node that has `lab_settings`."""
    install_advisor(node)
    install_tables(node)
    return Lab(node)
