"""The node's figures, as the admin page shows them: gauges, and counters since the start (the page makes rates)."""

from msgspec import Struct

from wirehop.node.figures import Figures
from wirehop.node.node import Node
from wirehop.pages.admin.channels import Rates
from wirehop.version import __version__


class WireRow(Struct, frozen=True):
    """One kind of wire: sessions now, messages in and out, and how often one was full, since the start."""

    wire: str
    sessions: int
    received: int
    sent: int
    congested: int


class CountRow(Struct, frozen=True):
    """Something counted since the start: sessions closed by code, drops and errors by reason."""

    name: str
    count: int


class Overview(Struct, frozen=True):
    """`uptime` in seconds; `now` in milliseconds, to make rates of counters; `cpu` in percent of a core; `rss` in
    bytes."""

    node: str
    version: str
    now: float
    uptime: float
    is_draining: bool
    sessions: int
    users: int
    channels: int
    subscriptions: int
    publications: int
    received: int
    sent: int
    drops: int
    cpu: float
    rss: int
    wires: list[WireRow]
    closed: list[CountRow]
    dropped: list[CountRow]
    errors: list[CountRow]


async def overview(node: Node, figures: Figures, rates: Rates) -> Overview:
    """Read all of them."""
    await rates.sample()
    metrics, process = node.metrics, figures.process()
    out, connections = node.messages_out(), node.connections()
    names = sorted({*out, *connections, *metrics.received})
    closed: dict[int, int] = {}
    for (_, code), count in metrics.closed.items():
        closed[code] = closed.get(code, 0) + count
    return Overview(
        node=node.id,
        version=__version__,
        now=round(node.clock.now() * 1000, 1),
        uptime=round(figures.uptime, 1),
        is_draining=node.is_draining,
        sessions=len(node.sessions),
        users=node.user_count,
        channels=len(node.hub.channels),
        subscriptions=rates.subscriptions,
        publications=metrics.publications,
        received=metrics.received.total(),
        sent=out.total(),
        drops=metrics.dropped.total(),
        cpu=process.cpu,
        rss=process.rss,
        wires=[
            WireRow(name, connections.get(name, 0), metrics.received[name], out[name], metrics.paused[name])
            for name in names
        ],
        closed=[CountRow(str(code), count) for code, count in sorted(closed.items())],
        dropped=_rows(metrics.dropped),
        errors=_rows(metrics.errors),
    )


def _rows(counter: dict[str, int]) -> list[CountRow]:
    return [CountRow(name, count) for name, count in sorted(counter.items()) if count]
