"""Advantages and disadvantages of each technique: sentences that hold because of a cell, and not otherwise.

Four tables make them. An ability that was found or not found; a count that is none or some; a figure that is far from
the others'; a fact of standards or tests. Whoever changes a figure changes the sentences: nothing here says what a cell
does not. Where all techniques are alike there is no sentence.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from wirehop.lab.tables.cells import Cell
from wirehop.lab.tables.titles import anchor

Side = Literal["advantage", "disadvantage"]
FAR: Final = 1.5
"""From this factor to the median of all techniques on, a figure says something."""
LEAST: Final = 4
"""Techniques with a figure, below which there is no median to speak of."""

Cells = Mapping[str, Mapping[str, Cell]]
"""Cells by line and technique."""


class Argument(Struct, frozen=True):
    """One sentence about a technique, the cell that it rests on, and what that says."""

    technique: str
    side: Side
    text: str
    line: str
    says: str

    @property
    def anchor(self) -> str:
        """Of its cell."""
        return anchor(self.line, self.technique)


ABILITIES: Final = {
    "binary": ("Carries binary as it is", "Carries text only: binary becomes base64, a third more"),
    "files": ("Takes 16 MB in one message", "Does not take 16 MB in one message"),
    "backpressure": ("A sender sees what is still waiting", "A sender does not see what is still waiting"),
    "headers": (
        "Takes headers of one's own, so a token needs no detour",
        "Takes no headers: a token needs a ticket or a cookie",
    ),
    "cross-origin": ("Works from other origins", "Does not work from other origins"),
    "compression": ("Can be compressed", "Is not compressed"),
    "worker": ("Works in workers", "Does not work in workers"),
    "last-id": ("The browser says by itself where it was", ""),
    "present": ("There in every browser that was probed", "Not there in every browser that was probed"),
    "ordered": ("Keeps the order", "Does not keep the order"),
    "reliable": ("Loses nothing where packets are lost", "Loses messages where packets are lost"),
    "roam": ("Outlives a change of network", "Does not outlive a change of network by itself"),
    "proxy-buffering": ("Comes through proxies that buffer", "Is held back by proxies that buffer"),
    "proxy-idle-cut": ("Outlives proxies that cut what is idle", "Is cut by proxies that cut what is idle"),
    "proxy-strip-upgrade": ("Comes through proxies that strip Upgrade", "Fails where a proxy strips Upgrade"),
    "proxy-gzip": ("Comes through proxies that compress", "Is held back by proxies that compress"),
    "proxy-inspecting": (
        "Comes through proxies that answer upgrades themselves",
        "Fails where a proxy answers upgrades itself",
    ),
    "proxy-block-udp": ("Works where UDP is blocked", "Fails where UDP is blocked"),
}
"""By line: what `yes` and `no` mean; "" says nothing."""

COUNTED: Final = {
    "resume": ("Goes on after cuts, nothing lost or doubled", "Loses or doubles messages over cuts"),
    "missed-rtt100": ("", "Misses messages"),
    "missed-loss5": ("", "Misses messages where packets are lost"),
}
"""By line: what none and some mean; "" says nothing."""

COMPARED: Final = {
    "first-new": ("Quick to the first message", "Slow to the first message"),
    "first-warm": ("Quick to the first message from an open page", "Slow to the first message from an open page"),
    "latency-rtt100": ("Quick at a round trip of 100 ms", "Slow at a round trip of 100 ms"),
    "latency-loss5": ("Stays quick where packets are lost", "Falls behind where packets are lost"),
    "bytes-down-20": ("Small messages stay small, down", "Small messages grow, down"),
    "bytes-up-20": ("Small messages stay small, up", "Small messages grow, up"),
    "idle": ("Costs little while nothing happens", "Costs bytes while nothing happens"),
    "rate": ("Carries many messages a second", "Carries few messages a second"),
    "dead": ("Notices a dead peer soon", "Notices a dead peer late"),
    "memory": ("Light on the server's memory", "Heavy on the server's memory"),
    "cpu": ("Light on the server's CPU", "Heavy on the server's CPU"),
    "fanout": ("Reaches many at once", "Reaches fewer at once"),
    "limit-http1": ("Many connections to one origin", "Few connections to one origin over HTTP/1.1"),
    "lines-browser": ("Little code in the page", "More code in the page"),
}
"""By line: what it means to be far on the good side and on the bad side of the median."""

FACTS: Final[tuple[tuple[str, Side, str, str], ...]] = (
    ("short-poll", "advantage", "Every request stands for itself: caches and functions will do", "caches"),
    ("short-poll", "advantage", "Anything that speaks HTTP can see it", "debugging"),
    ("short-poll", "advantage", "Fits hosts that hold no connection", "serverless"),
    ("short-poll", "advantage", "Every browser has it", "support"),
    ("long-poll", "advantage", "Every browser has it", "support"),
    ("long-poll", "advantage", "Anything that speaks HTTP can see it", "debugging"),
    ("long-poll", "disadvantage", "A session's polls must come back to the same process", "sticky"),
    ("jsonp", "disadvantage", "The page runs whatever the server sends", "direction"),
    ("jsonp", "disadvantage", "A session's polls must come back to the same process", "sticky"),
    ("sse", "advantage", "Any process can go on: a request says where it was", "sticky"),
    ("sse", "advantage", "The browser connects again by itself", "reconnect"),
    ("sse", "advantage", "Few bytes around a message", "framing-down"),
    ("sse", "advantage", "Wide support", "support"),
    ("sse", "disadvantage", "Comes down only", "direction"),
    ("sse-post", "advantage", "Both ways over plain HTTP", "direction"),
    ("sse-post", "disadvantage", "What goes up must reach the process of the stream", "sticky"),
    ("stream", "advantage", "Both ways over plain HTTP, with headers and bodies as the page wants them", "direction"),
    ("stream", "disadvantage", "What goes up must reach the process of the stream", "sticky"),
    ("websocket", "advantage", "Both ways at any time", "direction"),
    ("websocket", "advantage", "Few bytes around a message", "framing-down"),
    ("websocket", "advantage", "No sticky sessions", "sticky"),
    ("websocket", "advantage", "Wide support", "support"),
    ("websocket", "disadvantage", "Needs a connection of its own: all round trips anew", "trips-warm"),
    ("websocket", "disadvantage", "A page cannot send a ping: the server must", "heartbeat"),
    ("websocket-h2", "advantage", "Takes a connection that is open", "trips-warm"),
    ("webtransport", "advantage", "Streams and datagrams, from either side", "direction"),
    ("webtransport", "disadvantage", "Young: old browsers do not have it", "support"),
    ("data-channel", "advantage", "From end to end, without a server between", "direction"),
    ("data-channel", "advantage", "Always encrypted", "encryption"),
    ("data-channel", "disadvantage", "Many round trips, behind those of signaling", "trips-new"),
    ("data-channel-unreliable", "advantage", "What is lost holds nothing up, as nothing is sent again", "protocol"),
    ("data-channel-unreliable", "advantage", "Always encrypted", "encryption"),
    (
        "data-channel-unreliable",
        "disadvantage",
        "Many round trips, behind those of signaling",
        "trips-new",
    ),
    ("media", "advantage", "Over UDP: nothing waits for what is late", "protocol"),
    ("media", "advantage", "Always encrypted", "encryption"),
    ("media", "disadvantage", "Needs signaling before its own round trips", "trips-new"),
)
"""(technique, side, sentence, line). Printed where the line's cell is known."""


def arguments(cells: Cells, better: Mapping[str, str]) -> tuple[Argument, ...]:
    """All that hold, advantages first. `better` says of each line which values are the good ones."""
    found = dict.fromkeys((*_facts(cells), *_abilities(cells), *_counted(cells), *_compared(cells, better)))
    return tuple(sorted(found, key=lambda each: each.side))


def _facts(cells: Cells) -> Iterator[Argument]:
    for technique, side, text, line in FACTS:
        cell = cells[line][technique]
        if cell.is_known:
            yield Argument(technique, side, text, line, cell.text)


def _abilities(cells: Cells) -> Iterator[Argument]:
    sides: tuple[tuple[str, Side], ...] = (("yes", "advantage"), ("no", "disadvantage"))
    for line, words in ABILITIES.items():
        if {"yes", "no"} - {cell.text for cell in cells[line].values()}:
            continue  # what all can, or none, speaks for nobody
        for technique, cell in cells[line].items():
            for (answer, side), text in zip(sides, words, strict=True):
                if cell.is_known and cell.text == answer and text:
                    yield Argument(technique, side, text, line, cell.text)


def _counted(cells: Cells) -> Iterator[Argument]:
    for line, (none, some) in COUNTED.items():
        if len({bool(cell.value) for cell in cells[line].values() if cell.value is not None}) < 2:
            continue
        for technique, cell in cells[line].items():
            if cell.value is not None and (text := some if cell.value else none):
                yield Argument(technique, "disadvantage" if cell.value else "advantage", text, line, cell.text)


def _compared(cells: Cells, better: Mapping[str, str]) -> Iterable[Argument]:
    for line, (good, bad) in COMPARED.items():
        values = {technique: cell.value for technique, cell in cells[line].items() if cell.value is not None}
        if len(values) < LEAST:
            continue
        median = statistics.median(values.values())
        for technique, value in values.items():
            is_less, is_more = value * FAR <= median and value < median, value >= median * FAR and value > median
            is_good, is_bad = (is_less, is_more) if better[line] == "low" else (is_more, is_less)
            says = cells[line][technique].text
            if is_good and good:
                yield Argument(technique, "advantage", good, line, says)
            elif is_bad and bad:
                yield Argument(technique, "disadvantage", bad, line, says)
