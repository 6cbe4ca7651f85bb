"""What is done to the clients, and when: scenarios by name, and their schedules for a duration.

Pure. A schedule is a list of (seconds from the start, action), in order.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

from wirehop.checker import faults
from wirehop.checker.faults import Fault


class SetFaults(Struct, frozen=True):
    """From now on these, for all connections; none: all is well."""

    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        return ", ".join(fault.name for fault in self.faults) or "all is well"


class Cut(Struct, frozen=True):
    """Reset all connections."""

    def __str__(self) -> str:
        return "cut"


class MoveAll(Struct, frozen=True):
    """Each client goes on over the next wire of its tour."""

    def __str__(self) -> str:
        return "move"


class Restart(Struct, frozen=True):
    """Kill the server, and start it again `seconds` later."""

    seconds: float = 1.0

    def __str__(self) -> str:
        return "restart of the server"


Action = SetFaults | Cut | MoveAll | Restart
Schedule = list[tuple[float, Action]]


class Scenario(Struct, frozen=True):
    """`make(seconds)` is its schedule. `needs_wires`: one of these must be there; `wires`: only these are used (none:
    all)."""

    name: str
    what: str
    make: Callable[[float], Schedule]
    wires: tuple[str, ...] = ()
    moves: bool = False
    restarts: bool = False


POSTING: Final = ("sse", "stream", "long-poll", "short-poll")


def _every(seconds: float, each: float, *actions: Action, first: float | None = None) -> Schedule:
    """These actions at once, again and again, the last time a step before the end."""
    at = each if first is None else first
    found: Schedule = []
    while at < seconds - each / 2:
        found += [(at, action) for action in actions]
        at += each
    return found


def _on_and_off(seconds: float, on: float, off: float, *wrong: Fault) -> Schedule:
    """These faults for `on` seconds after each `off` seconds."""
    found: Schedule = []
    at = off
    while at + on < seconds:
        found += [(at, SetFaults(wrong)), (at + on, SetFaults())]
        at += on + off
    return found


def _drops(seconds: float) -> Schedule:
    """Everything is cut, and nothing gets through for 2 s, every 6 s."""
    found: Schedule = []
    at = 4.0
    while at + 2 < seconds:
        found += [(at, SetFaults((faults.Refuse(),))), (at, Cut()), (at + 2, SetFaults())]
        at += 6
    return found


def _always(*wrong: Fault) -> Callable[[float], Schedule]:
    return lambda _seconds: [(0.0, SetFaults(wrong))]


def _moving(*wrong: Fault) -> Callable[[float], Schedule]:
    return lambda seconds: [(0.0, SetFaults(wrong)), *_every(seconds, 2.0, MoveAll())]


def _sorted(*parts: Schedule) -> Schedule:
    return sorted((step for part in parts for step in part), key=lambda step: step[0])


SCENARIOS: Final = {
    each.name: each
    for each in (
        Scenario("calm", "nothing is wrong", lambda _seconds: []),
        Scenario("cuts", "all connections are reset every 5 s", lambda seconds: _every(seconds, 5.0, Cut())),
        Scenario("drops", "for 2 s of every 6 s nothing gets through (AnyCable's experiment)", _drops),
        Scenario("moves", "every client goes to another wire every second",
                 lambda seconds: _every(seconds, 1.0, MoveAll()), moves=True),
        Scenario("moves-and-cuts", "both of these", lambda seconds: _sorted(
            _every(seconds, 1.0, MoveAll()), _every(seconds, 5.0, Cut(), first=5.5)), moves=True),
        Scenario("black-hole", "connections take everything and give nothing, 6 s of every 12",
                 lambda seconds: _on_and_off(seconds, 6.0, 6.0, faults.BlackHole())),
        Scenario("half-open", "connections die in one direction, 6 s of every 12",
                 lambda seconds: _on_and_off(seconds, 6.0, 6.0, faults.HalfOpen("client"))),
        Scenario("tunnel", "nothing passes for 2 s of every 6, and all of it comes late",
                 lambda seconds: _on_and_off(seconds, 2.0, 4.0, faults.Tunnel())),
        Scenario("delay", "every byte is 50 to 150 ms late, and clients move every 2 s",
                 _moving(faults.Delay(0.1, 0.05)), moves=True),
        Scenario("reordered-posts", "POSTs overtake each other, and clients move every 2 s",
                 _moving(faults.ReorderPosts()), wires=POSTING, moves=True),
        Scenario("duplicated-posts", "POSTs arrive twice, and clients move every 2 s",
                 _moving(faults.DuplicatePosts()), wires=POSTING, moves=True),
        Scenario("buffering-proxy", "streams are held back until 16 KiB are there", _always(faults.BufferStreams(16))),
        Scenario("eaten-frames", "a proxy answers the upgrade and swallows what follows", _always(faults.EatFrames())),
        Scenario("no-websocket", "upgrades are refused", _always(faults.BlockWebSocket())),
        Scenario("502", "POSTs are answered with 502 for 1 s of every 4, some of them after they were delivered",
                 lambda seconds: _sorted(
                     _on_and_off(seconds, 1.0, 7.0, faults.AnswerPosts(502)),
                     [(at + 4.0, action) for at, action in
                      _on_and_off(seconds - 4, 1.0, 7.0, faults.AnswerPosts(502, is_delivered=True))]),
                 wires=POSTING),
        Scenario("404", "POSTs are answered with 404 for half a second of every 5",
                 lambda seconds: _on_and_off(seconds, 0.5, 4.5, faults.AnswerPosts(404)), wires=POSTING),
        Scenario("slow-reader", "clients take 8 KB a second for 5 s of every 10",
                 lambda seconds: _on_and_off(seconds, 5.0, 5.0, faults.SlowReader(8192))),
        Scenario("restart", "the server is killed and comes back", lambda seconds: [(seconds / 2, Restart())],
                 restarts=True),
    )
}  # fmt: skip
"""By name."""


def tour(wires: Sequence[str], start: int) -> Iterator[str]:
    """Wires to go to, one after the other for ever, so that every ordered pair of them comes in turn. It begins behind
    the wire number `start`, with the one that follows it in the round."""
    count = len(wires)
    if count < 2:
        return
    # all ordered pairs once, as one closed walk: for each distance the pairs with it
    walk = _closed_walk(count)
    place = next(index for index, each in enumerate(walk) if each == start % count)
    while True:
        place = (place + 1) % len(walk)
        yield wires[walk[place]]


def _closed_walk(count: int) -> list[int]:
    """Places such that neighbours (the last and the first too) make every ordered pair once."""
    rest = {here: [there for there in range(count) if there != here] for here in range(count)}
    path, walk = [0], []
    while path:
        if rest[path[-1]]:
            path.append(rest[path[-1]].pop())
        else:
            walk.append(path.pop())
    walk.reverse()
    assert len(set(pairwise(walk))) == count * (count - 1)
    return walk[:-1]
