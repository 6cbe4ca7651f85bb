"""The parts of `wirehop bench`: counting, framing, merging and drawing. Whole runs are in tests/behaviour."""

import asyncio
import contextlib
import time
from pathlib import Path

import pytest

from wirehop.bench import compiler
from wirehop.bench.crowd import Crowd, Member, masked, payload
from wirehop.bench.latencies import Latencies
from wirehop.bench.load import Fan
from wirehop.bench.plan import Plan, fitted
from wirehop.bench.processes import BenchFailed, child
from wirehop.bench.report import bar_of_text, curve_of_text, page, rows
from wirehop.bench.run import Machine, Report, Side, expected_seconds, merged, run
from wirehop.bench.words import Close, Publish

MACHINE = Machine("2026-11-23", "1", "Linux", "a processor", 2, "3.11", "uvloop")


def test_percentiles_are_exact_to_a_step() -> None:
    latencies = Latencies()
    for milliseconds in range(1, 101):
        latencies.record(milliseconds * 1_000_000)

    assert latencies.percentile(0.5) == pytest.approx(50, abs=0.02)
    assert latencies.percentile(0.99) == pytest.approx(99, abs=0.02)


def test_latencies_beyond_the_end_and_before_the_beginning_are_counted() -> None:
    latencies = Latencies()
    latencies.record(10**12)
    latencies.record(-5)

    assert latencies.count == 2
    assert latencies.percentile(1) == pytest.approx(2000, abs=0.02)
    assert sum(latencies.shape(8)) >= 1


def test_nothing_recorded_is_no_latency() -> None:
    assert Latencies().percentile(0.99) == 0
    assert Latencies().shape(4) == [0, 0, 0, 0]


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False


@pytest.mark.asyncio
@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 10_000])
async def test_a_client_reads_frames_however_they_are_cut(cut: int) -> None:
    crowd = Crowd(1, "/", hello=b"hello", ready_on=b"welcome")
    arrived = []
    crowd.arrived = lambda _member, sent: arrived.append(sent)
    member = Member(crowd, asyncio.get_running_loop().create_future())
    transport = _Transport()
    member.connection_made(transport)
    frames = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"\x81\x07welcome",
        b"\x81\x02{}",
        b"\x89\x02hi",
        b"\x81\x7e\x00\x80" + payload(128),
        b"\x82\x7f" + (70_000).to_bytes(8, "big") + payload(70_000),
        b"\x81\x33" + payload(25) + b"\n" + payload(25),
    )
    stream = b"".join(frames)
    for start in range(0, len(stream), cut):
        member.data_received(stream[start : start + cut])

    assert member.is_ready
    assert len(arrived) == 4
    assert all(sent > 0 for sent in arrived)
    assert transport.written[1:] == [masked(b"hello"), masked(b"{}"), b"\x8a\x82\0\0\0\0hi"]


@pytest.mark.asyncio
async def test_a_refused_connection_is_told() -> None:
    crowd = Crowd(9, "/")

    assert await crowd.open(3, at_once=2, seconds=5) == 0
    assert crowd.error


def test_frames_and_payloads_have_the_size_asked_for() -> None:
    assert len(payload(128)) == 128
    assert masked(b"x" * 125)[:2] == b"\x81\xfd"
    assert masked(b"x" * 126)[:4] == b"\x81\xfe\x00\x7e"


def test_a_plan_is_cut_to_the_descriptors_there_are() -> None:
    assert fitted(Plan(subscribers=50), 1000) == (Plan(subscribers=50), "")
    assert fitted(Plan(subscribers=50), 0) == (Plan(subscribers=50), "")
    plan, said = fitted(Plan(subscribers=5000), 1100)
    assert plan.subscribers == 1000
    assert "1,100" in said


def test_of_costs_the_least_is_kept_and_of_rates_the_highest() -> None:
    first = Side("wirehop", connect_us=9, fan_out_us=5, deliveries_per_second=10, bytes_each=7, p99_ms=3, p50_ms=1)
    second = Side("wirehop", connect_us=8, fan_out_us=6, deliveries_per_second=12, bytes_each=1, p99_ms=2, missing=1)
    both = merged(first, second, is_first=False)

    assert (both.connect_us, both.fan_out_us, both.deliveries_per_second) == (8, 5, 12)
    assert both.bytes_each == 7  # later rounds reuse what the process already has
    assert (both.p99_ms, both.p50_ms, both.missing) == (2, 0, 1)
    assert merged(first, second, is_first=True) is second


def test_the_table_shows_ratios_where_there_is_a_floor() -> None:
    ours = Side("wirehop", fan_out_us=6.0, deliveries_per_second=1000)
    alone = Report(MACHINE, Plan(), ours, None, "no C compiler")
    beside = Report(MACHINE, Plan(), ours, Side("floor", fan_out_us=5.0))

    assert (rows(alone)[0].floor, rows(alone)[0].ratio) == ("–", "")
    assert (rows(beside)[0].floor, rows(beside)[0].ratio) == ("5.0 µs", "1.20")
    assert "no C compiler" in page(alone)


def test_missing_deliveries_have_a_row_of_their_own() -> None:
    report = Report(MACHINE, Plan(), Side("wirehop", missing=3))

    assert rows(report)[-1].wirehop == "3"
    assert "MISSING" in rows(report)[-1].what


def test_bars_and_curves_of_text() -> None:
    assert bar_of_text(10, 10, 8) == "████████"
    assert bar_of_text(5, 10, 8) == "████"
    assert bar_of_text(0, 10, 8) == "▏"
    assert curve_of_text((0, 1, 50, 100)) == " ▁▄█"
    assert curve_of_text(()) == ""


def test_without_a_compiler_there_is_no_floor_and_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)

    program, why = compiler.build_floor(tmp_path)
    assert program is None
    assert "compiler" in why or "Linux" in why


@pytest.mark.skipif(bool(compiler.no_floor_because()), reason="no floor here")
def test_a_compiler_that_fails_is_a_reason_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken-cc"
    broken.write_text("#!/bin/sh\necho 'no such machine' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))

    assert compiler.build_floor(tmp_path) == (None, "the C program could not be compiled: no such machine")


@pytest.mark.asyncio
async def test_a_child_that_ends_or_is_silent_is_an_error_in_words() -> None:
    async with child("sleeper", ["sleep", "30"]) as sleeper:
        with pytest.raises(BenchFailed, match="sleeper has not answered"):
            await sleeper.line(0.05)
    async with child("short one", ["true"]) as short:
        with pytest.raises(BenchFailed, match="short one has ended"):
            await short.ask(Close(), Close, 5)


@pytest.mark.asyncio
async def test_what_is_foreseen_is_the_sum_of_what_is_said() -> None:
    plan = Plan(subscribers=5, seconds=0.1, rounds=1)
    said: list[float] = []
    report = await run(plan, lambda _what, seconds: said.append(seconds))

    share = 1 if report.floor is not None else 0.5
    assert 2 + (expected_seconds(plan) - 2) * share == pytest.approx(sum(said))


@pytest.mark.asyncio
async def test_a_measurement_whose_time_is_over_before_it_begins_still_publishes_once() -> None:
    """A process that is not scheduled for longer than a short measurement lasts must not report that nothing came."""
    crowd = Crowd(0, "/")
    member = Member(crowd, asyncio.get_running_loop().create_future())
    member.is_ready = True
    crowd.members.append(member)
    is_over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        crowd.arrived(member, time.monotonic_ns())
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        is_over.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        crowd.port = server.sockets[0].getsockname()[1]
        measured = await Fan(crowd, Publish(-1.0, 64)).run()
        await is_over.wait()

    assert (measured.count, measured.missing, measured.error) == (1, 0, "")
