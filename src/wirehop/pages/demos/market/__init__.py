"""Market ticker and order book: snapshot and diffs, a gap that heals, and feeds for every speed."""

from wirehop.node import Node
from wirehop.pages.demos.demo import Demo
from wirehop.pages.demos.market.bots import trade
from wirehop.pages.demos.market.market import NAMESPACES, Market


def install(node: Node) -> None:
    """Let the node have a market."""
    Market(node)


MARKET = Demo(
    "market",
    NAMESPACES,
    install,
    (
        "demos/market/market.py",
        "demos/market/exchange.py",
        "demos/market/feed.py",
        "demos/market/book.py",
        "static/market/feed.js",
        "static/market/market.js",
    ),
    bot=trade,
)
