"""What a technique costs: measured coefficients times what the facts say, each with the formula it came from.

It knows arithmetic. Prices are the reader's: without them there is no money.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from wirehop.advisor.case import SIZES, Case
from wirehop.advisor.techniques import ADVISED, POLLS

DAYS: Final = 30
HOURS: Final = 8.0
POLL_WAIT: Final = 55.0
"""Seconds that a long poll is held: `limits.poll_wait`."""

MOST_POLLS: Final = 20.0
"""Polls a second of one client: each waits for the one before, here for 50 ms; more messages share one."""

BILLION: Final = 1e9
MICROSECONDS: Final = 1e6


class Prices(Struct, frozen=True, kw_only=True):
    """In any currency. 0: not known, and then the total leaves it out."""

    gigabyte: float = 0.0
    core: float = 0.0
    memory_gigabyte: float = 0.0
    million_requests: float = 0.0


class CostItem(Struct, frozen=True):
    """One number. `value` is None where `missing` names figures that were not measured."""

    name: str
    value: float | None
    unit: str
    formula: str
    worked: str
    missing: tuple[str, ...] = ()


class Cost(Struct, frozen=True):
    """What a technique costs, by name: gigabytes, requests, sockets, memory, cores and money."""

    technique: str
    items: Mapping[str, CostItem]

    def value(self, name: str) -> float | None:
        """One number."""
        return self.items[name].value


def requests_per_second(case: Case, technique: str) -> float:
    """HTTP requests of one client, once it is connected."""
    facts = case.facts
    if technique == "short-poll":
        return 1 / facts.interval
    if technique in POLLS:
        return min(MOST_POLLS, max(facts.down + facts.up, 1 / POLL_WAIT))
    return facts.up if ADVISED[technique].family == "stream" else 0.0


def bytes_per_minute(case: Case, technique: str) -> float | None:
    """On the wire, of one client, both ways: messages, empty polls, and what keeps the connection. None for live media,
    whose bytes are not those of messages, and where something of it was not measured."""
    if technique == "media":
        return None
    down, up = case.message_bytes(technique, "down"), case.message_bytes(technique, "up")
    facts = case.facts
    if up is None and technique == "sse":
        up = case.message_bytes("sse-post", "up")
    if (down is None and facts.down) or (up is None and facts.up):
        return None
    if technique in POLLS:
        return _poll_bytes(case, technique, down or 0.0, up or 0.0)
    idle = case.value(f"idle/{technique}")
    if idle is None and not facts.down and not facts.up:
        return None
    return 60 * (facts.down * (down or 0.0) + facts.up * (up or 0.0)) + (idle or 0.0) / 60


def _poll_bytes(case: Case, technique: str, down: float, up: float) -> float | None:
    """A request carries one message or, where they come faster than it asks, several; the rest of the requests are
    empty, and cost what the smallest message costs without itself."""
    facts, requests = case.facts, requests_per_second(case, technique)
    messages = facts.down + facts.up
    payload = messages * facts.payload
    around = facts.down * (down - facts.payload) + facts.up * (up - facts.payload)
    shared = min(1.0, requests / messages) if messages else 0.0
    empty = max(0.0, requests - messages)
    smallest = case.value(f"bytes/{technique}/down/{SIZES[0]}")
    if empty and smallest is None:
        return None
    return 60 * (payload + around * shared + empty * ((smallest or 0.0) - SIZES[0]))


def cost_of(case: Case, technique: str, *, hours: float = HOURS, prices: Prices | None = None) -> Cost:
    """What that technique costs all the users, present `hours` a day."""
    items = (
        _gigabytes(case, technique, hours),
        _requests(case, technique),
        _sockets(case, technique),
        _memory(case, technique),
        _cores(case, technique),
    )
    by_name = {item.name: item for item in items}
    by_name["money"] = _money(by_name, hours, prices or Prices())
    return Cost(technique, by_name)


def _gigabytes(case: Case, technique: str, hours: float) -> CostItem:
    minute = bytes_per_minute(case, technique)
    formula = "users × bytes a minute × 60 × hours × 30 ÷ 10⁹"
    if minute is None:
        missing = (f"bytes/{technique}/down", f"bytes/{technique}/up")
        return CostItem("gigabytes", None, "GB/month", formula, "", missing)
    value = case.facts.users * minute * 60 * hours * DAYS / BILLION
    worked = f"{case.facts.users:,} × {minute:,.0f} × 60 × {hours:g} × {DAYS} ÷ 10⁹"
    return CostItem("gigabytes", value, "GB/month", formula, worked)


def _requests(case: Case, technique: str) -> CostItem:
    each = requests_per_second(case, technique)
    return CostItem(
        "requests",
        case.facts.users * each,
        "/s",
        "users × requests a second of one",
        f"{case.facts.users:,} × {each:.4g}",
    )


def _sockets(case: Case, technique: str) -> CostItem:
    each, why = sockets_of(case, technique)
    return CostItem("sockets", case.facts.users * each, "", f"users × {why}", f"{case.facts.users:,} × {each:g}")


def sockets_of(case: Case, technique: str) -> tuple[float, str]:
    """Connections of one client at the server, and why."""
    if ADVISED[technique].family == "udp" and technique != "webtransport" and case.facts.peers:
        return 1.0, "1 (signaling; the data goes from one to the other)"
    if ADVISED[technique].family == "stream" and case.facts.up > 0 and "http2" not in case.facts.front:
        return 2.0, "2 (the stream, and the connection that POSTs go over)"
    return 1.0, "1"


def _memory(case: Case, technique: str) -> CostItem:
    each = case.value(f"memory/{technique}")
    formula = "users × bytes of an idle connection ÷ 10⁹"
    if each is None:
        return CostItem("memory", None, "GB", formula, "", (f"memory/{technique}",))
    users = case.facts.users
    return CostItem("memory", users * each / BILLION, "GB", formula, f"{users:,} × {each:,.0f} ÷ 10⁹")


def _cores(case: Case, technique: str) -> CostItem:
    each = case.value(f"cpu/{technique}")
    formula = "users × messages a second to one × µs of a delivery ÷ 10⁶ (what clients send is not in it)"
    if each is None:
        return CostItem("cores", None, "cores", formula, "", (f"cpu/{technique}",))
    users, down = case.facts.users, case.facts.down
    worked = f"{users:,} × {down:g} × {each:.3g} ÷ 10⁶"
    return CostItem("cores", users * down * each / MICROSECONDS, "cores", formula, worked)


def _money(items: Mapping[str, CostItem], hours: float, prices: Prices) -> CostItem:
    """Only with prices, and only if every priced number is there."""
    seconds = hours * 3600 * DAYS
    requests = (items["requests"].value or 0.0) * seconds / 1e6
    priced = (
        ("gigabytes", items["gigabytes"].value, prices.gigabyte, "GB"),
        ("cores", items["cores"].value, prices.core, "cores"),
        ("memory", items["memory"].value, prices.memory_gigabyte, "GB of memory"),
        ("requests", requests, prices.million_requests, "million requests"),
    )
    counted = [each for each in priced if each[2]]
    formula = "GB × price + cores × price + GB of memory × price + million requests × price"
    missing = tuple(name for name, value, _, _ in counted if value is None)
    if not counted or missing:
        return CostItem("money", None, "/month", formula, "", missing or ("prices",))
    worked = " + ".join(f"{value or 0.0:,.2f} {word} × {price:g}" for _, value, price, word in counted)
    return CostItem("money", sum((value or 0.0) * price for _, value, price, _ in counted), "/month", formula, worked)
