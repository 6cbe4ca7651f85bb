"""How messages arrive: latency, loss, rate, order, resuming; rows 4, 5, 9, 11, 12, 15 to 17."""

from typing import Final

from msgspec import structs

from wirehop.lab.tables.figures import of_samples
from wirehop.lab.tables.lines import Line, measured_line, passing_line

LINKS: Final = {
    "rtt0": "loopback",
    "rtt20": "round trip 20 ms",
    "rtt100": "round trip 100 ms",
    "rtt300": "round trip 300 ms",
}
LOSSES: Final = {"loss1": "1 % lost", "loss5": "5 % lost", "loss20": "20 % lost"}
PLACES: Final = {
    "office": "in an office",
    "4g": "on 4G",
    "train": "on a train",
    "hotel": "in a hotel's Wi-Fi",
    "satellite": "by satellite",
    "company": "behind a company's proxy",
}
"""Links of the lab that the tables need not have."""


def _latency(row: int, link: str, words: str) -> tuple[Line, Line]:
    names = [f"latency/{{technique}}/{link}/{quantile}" for quantile in ("p50", "p95", "p99")]
    return (
        measured_line(f"latency-{link}", row, f"p50 / p95 / p99 one way, {words}", names, better="low"),
        measured_line(
            f"missed-{link}",
            row,
            f"Never came, {words}",
            [f"missed/{{technique}}/{link}"],
            show=of_samples,
            better="low",
        ),
    )


LINES: Final[tuple[Line, ...]] = (
    *(line for link, words in LINKS.items() for line in _latency(4, link, words)),
    *(line for link, words in LOSSES.items() for line in _latency(5, link, words)),
    *(structs.replace(line, is_optional=True) for link, words in PLACES.items() for line in _latency(5, link, words)),
    measured_line("rate", 9, "Messages a second until p99 passes 100 ms", ["rate/{technique}"], better="high"),
    passing_line("ordered", 11, "In order, with loss on the way", "ordered"),
    passing_line("reliable", 11, "Everything arrives, with loss on the way", "reliable"),
    passing_line("boundary", 12, "Keeps the boundaries of messages", "boundary"),
    measured_line("largest", 12, "Largest message that came through", ["largest/{technique}"], better="high"),
    measured_line("resume", 15, "Lost or doubled over cuts", ["resume/{technique}"], show=of_samples, better="low"),
    measured_line("dead", 16, "Until it is noticed", ["dead/{technique}"], better="low"),
    passing_line("roam", 17, "The conversation goes on from another address", "roam"),
)
