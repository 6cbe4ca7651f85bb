"""`wirehop bench` as people use it: a quick run from start to end, without a compiler, and interrupted."""

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

WIREHOP = str(Path(sys.executable).with_name("wirehop"))
SECONDS = 60.0
SMALL = ("bench", "--quick", "--subscribers", "40", "--duration", "0.15")
HAS_FLOOR = sys.platform == "linux" and shutil.which("cc") is not None


async def _start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        WIREHOP,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )


async def _finished(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.asyncio
async def test_a_quick_run_measures_everything(tmp_path: Path) -> None:
    kept, page = tmp_path / "bench.json", tmp_path / "bench.html"
    code, out, err = await _finished(await _start(*SMALL, "--json", str(kept), "--html", str(page)))

    assert code == 0, err
    report: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    ours = report["wirehop"]
    assert report["plan"]["subscribers"] == 40
    assert ours["missing"] == 0
    for figure in ("connect_us", "fan_out_us", "echo_us", "deliveries_per_second", "connects_per_second"):
        assert ours[figure] > 0, figure
    assert 0 < ours["p50_ms"] <= ours["p90_ms"] <= ours["p99_ms"]
    assert (report["floor"] is not None) == HAS_FLOOR
    for words in ("CPU per delivery", "latency, 99 % below", "memory of a connection", "█"):
        assert words in out
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 4
    for picture in text.split("<svg")[1:]:
        ET.fromstring("<svg" + picture[: picture.index("</svg>")] + "</svg>")


@pytest.mark.asyncio
async def test_it_works_without_a_compiler_and_without_uvloop(tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text("raise ImportError('not here')\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    code, out, err = await _finished(await _start(*SMALL, "--json", "-", PATH=str(tmp_path), CC="", PYTHONPATH=path))

    assert code == 0, err
    report = json.loads(out)
    assert report["floor"] is None
    assert "compiler" in report["no_floor"] or "Linux" in report["no_floor"]
    assert report["machine"]["loop"] == "asyncio"
    assert report["wirehop"]["fan_out_us"] > 0


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc")
async def test_an_interrupt_ends_it_and_all_that_it_started() -> None:
    process = await _start("bench", "--subscribers", "20", "--duration", "60")
    children: list[int] = []
    async with asyncio.timeout(SECONDS):
        while len(children) < 2 + HAS_FLOOR:
            await asyncio.sleep(0.05)
            children = _children(process.pid)
    process.send_signal(signal.SIGINT)
    code, _, err = await _finished(process)

    assert (code, err.strip()) == (130, "")
    assert [pid for pid in children if _is_there(pid)] == []


@pytest.mark.asyncio
async def test_more_subscribers_than_descriptors_are_fewer_with_a_message() -> None:
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f'ulimit -n 130 && exec "{WIREHOP}" bench --quick --subscribers 500 --duration 0.1 --json -'),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    code, out, err = await _finished(process)

    assert code == 0, err
    assert json.loads(out)["plan"]["subscribers"] == 30
    assert "only 130 open files" in err
