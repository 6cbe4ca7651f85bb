"""What a wanted move costs: the longest silence that a subscriber sees while 100 publications a second come."""

from collections.abc import Callable
from itertools import permutations
from statistics import median

from playwright.sync_api import Browser

from wirehop.checker.faults import Delay

from .following import check_whole, start
from .impaired import Impaired
from .servers import Publisher, Server
from .watching import OpenPage, wait

WIRES = ("websocket", "stream", "sse", "long-poll", "short-poll")
ROUND_TRIP = 0.04
GOAL = 1.5 * ROUND_TRIP + 0.05
INTERVAL = 0.1
"""Between short polls, while there is something: the silence that this wire has by its nature, with a round trip."""
NOISE = 0.15
"""A machine of two cores with a browser, a server, a proxy and other tests on it stops for so long now and then."""
WATCH = """() => {
    window.arrivals = [];
    channel.on("publication", () => arrivals.push(performance.now()));
}"""
MOVE = """async to => {
    const began = performance.now();
    const moved = new Promise(done => client.on("moved", done, {once: true}));
    client.move(to);
    await moved;
    const after = performance.now();
    await new Promise(done => setTimeout(done, 300));
    const times = arrivals.splice(0).filter((at, index, all) => (all[index + 1] ?? at) > began);
    let longest = 0;
    for (let index = 1; index < times.length; index++)
        if (times[index - 1] < after + 200) longest = Math.max(longest, times[index] - times[index - 1]);
    return longest / 1000;
}"""


def test_a_wanted_move_costs_no_gap(
    chromium: Browser, server: Server, impair: Callable[[Server], Impaired], open_page: OpenPage, room: str
) -> None:
    proxy = impair(server)
    page = open_page(chromium, proxy.url)
    proxy.set(Delay(ROUND_TRIP / 2))
    start(page, room, wires=list(WIRES))
    wait(page, "client.state === 'live'")
    page.evaluate(WATCH)
    silences: dict[tuple[str, str], float] = {}
    with Publisher(server, room, every=0.01):
        wait(page, "seen.length > 20")
        for old, new in permutations(WIRES, 2):
            if page.evaluate("client.transport") != old:
                page.evaluate(MOVE, old)
            silences[old, new] = page.evaluate(MOVE, new)
            assert page.evaluate("client.transport") == new
    check_whole(page)
    assert page.evaluate("states") == ["live"]
    for (old, new), seconds in silences.items():
        print(f"{old:>10} to {new:<10} {seconds * 1000:4.0f} ms")
    streaming = [seconds for pair, seconds in silences.items() if "short-poll" not in pair]
    polling = [seconds for pair, seconds in silences.items() if "short-poll" in pair]
    print(f"goal {GOAL * 1000:.0f} ms; median {median(streaming) * 1000:.0f}, longest {max(streaming) * 1000:.0f} ms")
    print(f"from and to short polls: median {median(polling) * 1000:.0f}, longest {max(polling) * 1000:.0f} ms")
    assert median(streaming) < GOAL + NOISE
    assert median(polling) < GOAL + INTERVAL + ROUND_TRIP + NOISE
