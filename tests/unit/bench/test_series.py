"""The long series: what is kept of a run, how goals are judged, and what is made of it for the README."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import rig
from series import measure, report, verdicts
from series.measure import Series, dump, kept_figures
from series.peers import PEERS, Peer
from series.workloads import Cell, Group, Scale, Workload, workloads

from wirehop.bench import svg

LINE: dict[str, Any] = {
    "first_error": "",
    "connections": {"ready": 2, "failed": 0, "dropped": 0, "per_second": 10.0},
    "publications": {"late": 0},
    "deliveries": {"count": 4, "missing": 0, "duplicates": 0, "per_second": 1234.5678},
    "latency_ms": {"p50": 1.0, "p99": 2.0},
    "pings": 0,
    "server": {
        "cpu_us_per_delivery": 5.123456,
        "cpu_share": 0.5,
        "cpu_us_per_connect": 20.0,
        "bytes_per_connection": 100.0,
        "idle_cpu_share": 0.0,
    },
    "loader": {"cpu_share": 0.9},
}


def _results(**rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    facts = {
        "date": "2026-11-23T00:00:00+00:00",
        "cpu": "a processor",
        "cores": 2,
        "kernel": "6.1",
        "python": "3.11",
        "packages": {"uvloop": "0.23"},
    }
    return {
        "format": 1,
        "peers": {name: {"title": peer.title, "version": "1"} for name, peer in PEERS.items()},
        "workloads": {
            name.replace("_", "-"): {
                "about": "",
                "facts": facts,
                "scale": {"seconds": 1, "size": 128, "shrink": 1},
                "rounds": [
                    {group: {peer: {"us": value} for peer, value in cells.items()} for group, cells in one.items()}
                    for one in found
                ],
            }
            for name, found in rounds.items()
        },
    }


def _verdict(results: dict[str, Any], goal: str) -> verdicts.Verdict:
    return next(verdict for verdict in verdicts.judged(results) if verdict.goal == goal)


def test_figures_are_kept_with_five_digits() -> None:
    figures = kept_figures(LINE)

    assert figures["us"] == 5.1235
    assert figures["per_second"] == 1234.6
    assert "bytes" not in figures


@pytest.mark.parametrize(
    ("part", "name"), [("deliveries", "missing"), ("deliveries", "duplicates"), ("connections", "dropped")]
)
def test_a_run_that_lost_something_gives_no_figures(part: str, name: str) -> None:
    figures = kept_figures({**LINE, part: {**LINE[part], name: 1}})

    assert figures["error"] == "deliveries are wrong"
    assert "us" not in figures


def test_a_ratio_is_of_the_minima_with_the_median_of_neighbours_beside_it() -> None:
    rounds = [{"ws": {"wirehop-write": ours, "floor": floor}} for ours, floor in ((6.0, 5.0), (8.0, 4.0), (7.0, 5.0))]
    verdict = _verdict(_results(fanout_1000=rounds), "WebSocket, 1,000 subscribers, transport.write: x C send")

    assert verdict.measured == pytest.approx(6.0 / 4.0)
    assert verdict.paired == pytest.approx(1.4)
    assert (verdict.rounds, verdict.holds) == (3, False)


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert {verdict.holds for verdict in verdicts.judged(_results())} == {None}
    assert all(line.startswith("-") for line in verdicts.lines(verdicts.judged(_results())))


def test_a_limit_is_reached_at_the_limit() -> None:
    rounds = [{"ws": {"wirehop": 0.9, "floor": 1.0}}]

    assert _verdict(_results(fanout_1000=rounds), "WebSocket, 1,000 subscribers, batch sender: x C send").holds is True


def test_a_round_without_figures_is_left_out_of_a_ratio_and_counts_as_a_loss() -> None:
    results = _results(openloop=[{"ws": {"wirehop": 1.0}}, {"ws": {"wirehop": 1.0}}])
    results["workloads"]["openloop"]["rounds"][1]["ws"]["wirehop"] = {"error": "lost"}
    verdict = _verdict(results, "500,000 deliveries/s, batch sender: nothing lost")

    assert (verdict.measured, verdict.holds) == (1, False)


def test_a_run_that_could_not_publish_in_time_is_late_and_has_no_latency() -> None:
    results = _results(openloop=[{"ws": {"wirehop": 1.0}}])
    results["workloads"]["openloop"]["rounds"][0]["ws"]["wirehop"] = {"p99_ms": 1.0, "late": 3.0}

    assert _verdict(results, "500,000 deliveries/s, batch sender: p99").holds is None
    assert _verdict(results, "500,000 deliveries/s, batch sender: publications late").holds is False


def test_every_goal_has_a_name_of_its_own() -> None:
    goals = [verdict.goal for verdict in verdicts.judged(_results())]

    assert len(set(goals)) == len(goals)


@pytest.mark.parametrize("scale", [Scale(), Scale(seconds=0.2, shrink=10)])
def test_every_cell_is_of_a_known_server_and_every_group_has_one_of_ours(scale: Scale) -> None:
    for workload in workloads(scale).values():
        for group in workload.groups:
            names = {cell.peer for cell in group.cells}
            assert names <= set(PEERS)
            assert {"wirehop", "wirehop-write"} <= names


def test_results_read_back_as_they_were_written() -> None:
    results = _results(fanout_1000=[{"ws": {"floor": 1.0}}, {"ws": {"floor": 2.0}}], openloop=[])

    assert json.loads(dump(results)) == results


def _two_cells() -> Workload:
    return Workload("tiny", "", (Group("ws", (Cell("floor", ()), Cell("nchan", ()))),))


def _run_tiny(path: Path, rounds: int, *, is_resumed: bool) -> int:
    return Series(path, chosen=set(), is_resumed=is_resumed).run(_two_cells(), rounds, {"shrink": 1})


@pytest.fixture
def cells_run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the servers whose cells are run, in order; nothing is started."""
    order: list[str] = []

    def run_cell(_servers: object, peer: Peer, _arguments: object, *, is_fresh: bool) -> dict[str, Any]:
        order.append(peer.name)
        return {"error": "gone"} if peer.name == "nchan" else {"us": float(len(order))}

    monkeypatch.setattr(measure, "run_cell", run_cell)
    monkeypatch.setattr(measure.rig, "facts", lambda _packages: {"commit": "one"})
    return order


def test_each_second_round_runs_backwards_and_errors_are_counted(tmp_path: Path, cells_run: list[str]) -> None:
    assert _run_tiny(tmp_path / "r.json", 2, is_resumed=False) == 2
    assert cells_run == ["floor", "nchan", "nchan", "floor"]


def test_a_resumed_series_runs_only_what_is_missing(tmp_path: Path, cells_run: list[str]) -> None:
    path = tmp_path / "r.json"
    _run_tiny(path, 2, is_resumed=False)
    _run_tiny(path, 3, is_resumed=True)
    assert len(cells_run) == 6
    assert len(json.loads(path.read_text())["workloads"]["tiny"]["rounds"]) == 3

    _run_tiny(path, 1, is_resumed=False)
    assert len(json.loads(path.read_text())["workloads"]["tiny"]["rounds"]) == 1


def test_figures_of_two_commits_are_not_mixed(
    tmp_path: Path, cells_run: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.json"
    _run_tiny(path, 2, is_resumed=False)
    monkeypatch.setattr(measure.rig, "facts", lambda _packages: {"commit": "two"})
    _run_tiny(path, 2, is_resumed=True)

    assert len(cells_run) == 8


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(rig.ROOT / "scripts" / "bench"), "--peers", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_verdicts_are_given_without_running_anything(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    rounds = [{"ws": {"wirehop": 4.0, "floor": 5.0, "nchan": 8.0, "centrifuge": 9.0}}]
    path.write_text(dump(_results(fanout_1000=rounds)), encoding="utf-8")
    done = _bench("--verdicts", "--json", str(path))

    assert done.returncode == 0, done.stderr
    assert "holds  WebSocket, 1,000 subscribers, batch sender: x C send" in done.stdout
    kept = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
    assert [row["holds"] for row in kept if row["measured"] is not None] == [True, True, True]


def test_an_unknown_workload_is_named_with_those_there_are() -> None:
    done = _bench("--only", "fanout-10")

    assert done.returncode == 1
    assert "fanout-10" in done.stderr
    assert "fanout-1000" in done.stderr


def test_the_table_has_a_row_for_each_server_and_a_dash_for_what_is_not_known() -> None:
    results = _results(fanout_1000=[{"ws": {"wirehop": 4.44, "floor": 5.0}}, {"ws": {"wirehop": 4.9}}])
    lines = report.table(results)

    assert len(lines) == 2 + len(PEERS)
    assert next(line for line in lines if "wirehop, io_uring" in line).split(" | ")[1:3] == ["4.4", "–"]


def test_pictures_are_whole_and_always_the_same() -> None:
    results = _results(
        fanout_1000=[{"ws": {"wirehop": 4.4, "floor": 5.0}}],
        growth=[{"100": {"wirehop": 9.0, "floor": 5.0}, "1000": {"wirehop": 5.0}}],
    )
    pictures = report.pictures_of(results)

    assert set(pictures) == {"bench-fanout.svg", "bench-growth.svg"}
    assert pictures == report.pictures_of(json.loads(json.dumps(results)))
    for _, drawn in pictures.values():
        assert ET.fromstring(drawn).tag.endswith("svg")


def test_the_kept_series_holds_the_servers_that_it_must() -> None:
    kept = json.loads((rig.BENCH / "results" / "peers.json").read_text(encoding="utf-8"))
    rounds = kept["workloads"]["fanout-1000"]["rounds"]
    measured = {name for one in rounds for name, figures in one["ws"].items() if "error" not in figures}

    assert {"floor", "centrifuge", "nchan", "ws", "starlette", "socketio"} <= measured
    assert measured & {"wirehop", "wirehop-write"}


def test_the_lock_of_the_node_packages_names_no_host() -> None:
    lock = json.loads((rig.BENCH / "peers" / "package-lock.json").read_text(encoding="utf-8"))

    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


def test_a_bar_is_as_long_as_its_share() -> None:
    drawn = ET.fromstring(svg.bars("title <1>", [svg.Bar("a & b", 2.0), svg.Bar("c", 1.0, is_ours=True)]))
    widths = [float(each.attrib["width"]) for each in drawn.iter() if each.tag.endswith("rect")]

    assert widths[0] == pytest.approx(2 * widths[1])


def test_a_plot_without_points_is_still_a_picture(tmp_path: Path) -> None:
    ET.fromstring(svg.lines("empty", [], x_title="x"))
    ET.fromstring(svg.bars("empty", []))
