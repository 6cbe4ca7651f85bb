"""What the lab measures with: a relay that counts, races with one clock, a site for probes; on a real server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from wirehop.checker.faults import Delay
from wirehop.client import Client
from wirehop.lab.measure import machine, weights
from wirehop.lab.measure.browsers import BrowserAbsent, browser_of, enter
from wirehop.lab.measure.notebook import Notebook
from wirehop.lab.measure.probe_site import ProbeSite, Result
from wirehop.lab.measure.race import race
from wirehop.lab.measure.readers import READABLE, reading
from wirehop.lab.measure.stage import stage
from wirehop.lab.measure.suite import new_notebook
from wirehop.lab.measure.trials import cuts

SECONDS = 90.0


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(SECONDS):
            return await work()

    return asyncio.run(bounded())


def test_the_counting_relay_sees_every_byte_of_a_message() -> None:
    async def weigh() -> list[weights.Weight]:
        async with stage() as server:
            jobs = (weights.weigh(server.host, server.port, each, count=2) for each in ("websocket", "sse", "stream"))
            return await asyncio.gather(*jobs)

    for weight in run(weigh):
        assert 180 <= weight.down[200] - weight.down[20] <= 184  # the payload's, and a longer head of its frame
        assert 1800 <= weight.down[2000] - weight.down[200] <= 1804
        assert 1980 <= weight.up[2000] - weight.up[20] <= 1990
        assert weight.opened > 200


def test_a_race_over_a_slow_link_shows_its_delay_in_every_lane() -> None:
    async def run_race() -> Any:
        async with stage() as server:
            return await race(
                *(server.host, server.port, READABLE, (Delay(0.05),)), channel="lab:r", count=30, rate=30, patience=30
            )

    lanes = run(run_race).lanes
    for technique, lane in lanes.items():
        assert not lane.missed, technique
        assert not lane.doubled, technique
        assert not lane.disordered, technique
        assert min(lane.latencies.values()) >= 49, technique  # the loop's clock rounds


def test_messages_are_due_at_even_times_whatever_the_sender_does() -> None:
    async def due() -> list[float]:
        found: list[float] = []
        got = asyncio.Event()

        def hear(data: Any) -> None:
            found.append(data["at"])
            if data["n"] == 39:
                got.set()

        async with stage() as server:
            url = f"http://{server.host}:{server.port}"
            async with Client(url) as sender, reading("websocket", url, "lab:due", hear):
                await sender.rpc("lab.send", {"channel": "lab:due", "count": 40, "rate": 200, "first": 0})
                await got.wait()
        return found

    times = run(due)
    assert len(times) == 40
    assert [after - before for before, after in pairwise(times)] == pytest.approx([0.005] * 39)


def test_nothing_is_lost_over_cuts() -> None:
    async def cutting() -> Any:
        async with stage() as server:
            return await cuts(server.host, server.port, READABLE, count=150, rate=100, times=3)

    for technique, outcome in run(cutting).items():
        assert (outcome.sent, outcome.lost, outcome.doubled, outcome.disordered) == (150, 0, 0, 0), technique


@pytest.mark.parametrize("technique", machine.MEASURABLE)
def test_every_crowd_gets_what_is_published(technique: str) -> None:
    spent = run(lambda: machine.spend(technique, clients=10, seconds=0.1))
    assert spent.missing == 0
    assert spent.deliveries >= 10
    assert spent.deliveries % 10 == 0
    assert spent.cpu > 0


async def _asked(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.readuntil(b"\r\n\r\n")
    size = next(int(line.split(b":")[1]) for line in answer.split(b"\r\n") if line.startswith(b"Content-Length"))
    body = await reader.readexactly(size)
    writer.close()
    return body


def test_the_probe_site_writes_down_heads_byte_for_byte_and_keeps_results() -> None:
    async def visit() -> None:
        async with ProbeSite() as site:
            head = b"GET /answer?tag=one&size=5 HTTP/1.1\r\nHost: here\r\nX-Own: yes\r\n\r\n"
            assert await _asked(site.ports[0], head) == b"xxxxx"
            seen = json.loads(await _asked(site.ports[1], b"GET /seen?tag=one HTTP/1.1\r\nHost: here\r\n\r\n"))
            assert [(each["head"], each["headers"]["x-own"], each["port"]) for each in seen] == [
                (len(head), "yes", site.ports[0])
            ]
            body = b'[{"name":"can/text/sse","value":1},{"name":"latency/media/rtt0/p50","value":9,"unit":"ms"}]'
            for text in (body, b'[{"name":"x","value":null}]'):
                line = f"POST /results HTTP/1.1\r\nHost: here\r\nContent-Length: {len(text)}\r\n\r\n".encode()
                await _asked(site.ports[0], line + text)
            assert site.results == [Result("can/text/sse", 1), Result("latency/media/rtt0/p50", 9, "ms")]
            assert site.refused == 1
            assert b"no such page" in await _asked(site.ports[0], b"GET /../__init__.py HTTP/1.1\r\nHost: h\r\n\r\n")

    run(visit)


def test_figures_of_a_browser_have_its_name_but_for_those_that_only_browsers_have() -> None:
    notebook: Notebook = new_notebook()
    browser = browser_of("python3")  # any program: what it is called decides
    enter(
        notebook, browser, "A browser 1", [Result("can/text/sse", 1), Result("bytes/data-channel/up/20", 95, "bytes")]
    )
    assert notebook.figures.keys() == {"can/text/sse/chromium", "bytes/data-channel/up/20"}
    assert {each.where for each in notebook.figures.values()} == {"A browser 1"}
    with pytest.raises(BrowserAbsent, match="there is no program"):
        browser_of("no-such-browser")
