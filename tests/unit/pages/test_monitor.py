"""The monitor's rates, and what its loops publish."""

import importlib
from collections.abc import Mapping

import pytest

from wirehop.pages import STATIC
from wirehop.pages.monitor import (
    SERVER_CHANNEL,
    SYSTEM_CHANNEL,
    ServerFigures,
    WireFigures,
    WireReport,
    per_second,
    publish_server,
    publish_system,
    server_report,
)


class EnoughError(Exception):
    """Raised by a recorder to leave a loop that never ends."""


class Recorder:
    """A `publish` that keeps what it gets and ends the loop after `count` publications."""

    def __init__(self, count: int) -> None:
        self.published: list[tuple[str, object]] = []
        self._count = count

    async def __call__(self, channel: str, data: object) -> object:
        self.published.append((channel, data))
        if len(self.published) == self._count:
            raise EnoughError
        return None


def test_a_rate_is_the_growth_per_second() -> None:
    assert per_second(100, 150, 2.0) == 25.0


def test_a_counter_that_went_down_was_started_anew() -> None:
    assert per_second(1000, 30, 1.0) == 30.0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_no_rate(seconds: float) -> None:
    assert per_second(1, 2, seconds) == 0.0


def test_the_first_report_has_gauges_and_no_rates() -> None:
    figures = ServerFigures(wires={"sse": WireFigures(connections=2, received=10, sent=20)}, publications=5, drops=3)

    report = server_report(None, figures, seconds=1.0, at=7)

    assert (report.at, report.connections, report.drops) == (7, 2, 3)
    assert (report.publications, report.drop_rate) == (0, 0)
    assert report.wires["sse"] == WireReport(connections=2, received=0, sent=0)


def test_a_report_has_the_rates_of_each_wire() -> None:
    before = ServerFigures(wires={"sse": WireFigures(2, 10, 20)}, publications=5, drops=3)
    after = ServerFigures(wires={"sse": WireFigures(1, 14, 60)}, publications=9, drops=4)

    report = server_report(before, after, seconds=2.0, at=0)

    assert report.wires["sse"] == WireReport(connections=1, received=2, sent=20)
    assert (report.publications, report.drops, report.drop_rate) == (2, 4, 0.5)


def test_a_wire_seen_for_the_first_time_began_at_zero() -> None:
    after = ServerFigures(wires={"jsonp": WireFigures(connections=1, received=3, sent=4)})

    report = server_report(ServerFigures(), after, seconds=1.0, at=0)

    assert (report.wires["jsonp"].received, report.wires["jsonp"].sent) == (3, 4)


def test_connections_are_summed_over_the_wires() -> None:
    after = ServerFigures(wires={"jsonp": WireFigures(connections=1), "sse": WireFigures(connections=4)})

    assert server_report(None, after, seconds=1.0, at=0).connections == 5


@pytest.mark.asyncio
async def test_the_server_figures_are_published_under_their_wire_names() -> None:
    publish = Recorder(2)

    def figures() -> Mapping[str, object]:
        wires = {"websocket": {"connections": 3, "in": 120, "out": 4000}}
        return {"wires": wires, "publications": 17, "drops": 0}

    with pytest.raises(EnoughError):
        await publish_server(publish, figures, interval=0.0)

    channel, report = publish.published[1]
    assert channel == SERVER_CHANNEL
    assert isinstance(report, dict)
    assert report["wires"] == {"websocket": {"connections": 3, "in": 0.0, "out": 0.0}}
    assert report["connections"] == 3


@pytest.mark.asyncio
async def test_the_system_figures_have_what_the_page_draws() -> None:
    publish = Recorder(1)

    with pytest.raises(EnoughError):
        await publish_system(publish, interval=0.0)

    channel, report = publish.published[0]
    assert channel == SYSTEM_CHANNEL
    assert isinstance(report, dict)
    assert set(report) == {"at", "cpu", "memory", "network", "load", "uptime", "processes"}
    assert 0 < report["memory"]["used"] <= report["memory"]["total"]
    assert len(report["cpu"]["cores"]) >= 1
    assert {"pid", "name", "cpu", "memory"} == set(report["processes"][0])


@pytest.mark.asyncio
async def test_the_list_of_processes_is_not_read_every_time() -> None:
    publish = Recorder(3)

    with pytest.raises(EnoughError):
        await publish_system(publish, interval=0.0)

    reports = [report for _, report in publish.published if isinstance(report, dict)]
    assert ["processes" in report for report in reports] == [True, False, False]


@pytest.mark.asyncio
async def test_without_psutil_the_page_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    publish = Recorder(1)

    with pytest.raises(EnoughError):
        await publish_system(publish)

    channel, report = publish.published[0]
    assert channel == SYSTEM_CHANNEL
    assert isinstance(report, dict)
    assert "psutil" in report["error"]


def test_the_static_directory_holds_the_pages() -> None:
    for page in ("index.html", "chat/index.html", "monitor/index.html", "transport-bar.js", "style.css"):
        assert (STATIC / page).is_file()
