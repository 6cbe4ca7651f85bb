"""The lines of the technical table, by what they are about. The numbers are those of the catalogue: 1 to 32."""

from typing import Final

from wirehop.lab.tables.catalogue import browser, delivery, nature, network, running, weight
from wirehop.lab.tables.lines import Line

ROWS: Final = {
    1: "Direction",
    2: "Protocol, port, encryption",
    3: "Round trips to the first message",
    4: "Delivery latency",
    5: "Delivery latency with loss",
    6: "Bytes per message",
    7: "Bytes per connection",
    8: "Idle cost",
    9: "Message rate of one connection",
    10: "Text, binary, files",
    11: "Order and reliability",
    12: "Message boundary, largest message",
    13: "Backpressure that a sender sees",
    14: "Reconnects by itself",
    15: "Resumes without loss or duplicates",
    16: "Notices a dead peer",
    17: "Survives a change of network",
    18: "Connections of a browser to one origin",
    19: "Headers at connect, cookies, ticket",
    20: "Other origins, preflight, credentials",
    21: "Compression",
    22: "Workers, background, freeze, back/forward cache",
    23: "Browser support",
    24: "Through proxies",
    25: "NAT, and where UDP is blocked",
    26: "Server memory and CPU",
    27: "Fan-out",
    28: "Sticky sessions",
    29: "Caches and CDNs",
    30: "Debugging",
    31: "Lines of code",
    32: "Serverless hosting",
}

LINES: Final[tuple[Line, ...]] = tuple(
    sorted(
        (
            *nature.LINES,
            *delivery.LINES,
            *weight.LINES,
            *browser.LINES,
            *network.LINES,
            *running.LINES,
        ),
        key=lambda line: line.row,
    )
)
