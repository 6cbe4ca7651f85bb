"""What scripts/test counts and what it runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Script = Callable[[str], ModuleType]

REPORT = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"/>
<testcase name="c"><failure message="no"/></testcase>
<testcase name="d"><error message="no"/></testcase>
<testcase name="e"><skipped type="pytest.skip" message="no browser"/></testcase>
<testcase name="f"><skipped type="pytest.xfail" message="known"/></testcase>
</testsuite></testsuites>"""

SUITE = """
import pytest
def test_good(): pass
def test_skips(): pytest.skip("no browser here")
@pytest.mark.xfail(reason="known")
def test_known(): assert False
@pytest.mark.skip(reason="marked")
def test_marked(): pass
"""


@pytest.fixture
def runner(script: Script) -> ModuleType:
    return script("test")


def test_counts_are_added_over_files_and_expected_failures_kept_apart(runner: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    counts = runner.Counts()
    counts.add(report)
    counts.add(tmp_path / "gone.xml")
    counts.add(report)
    assert str(counts) == "4 passed, 4 failed, 2 skipped"
    assert counts.expected == 2


def test_the_browser_tests_are_a_process_of_their_own(runner: ModuleType) -> None:
    (name, command, report), *apart = runner.suites(["-x"], is_fast=False)
    assert name == "pytest"
    assert [runner.is_alone(suite) for suite in apart] == [False, True]
    assert command[-4:] == ["tests", "--ignore=tests/e2e", "--ignore=tests/rtc", "-x"]
    assert [name for name, _, _ in apart] == ["pytest tests/e2e", "pytest tests/rtc"]
    assert [command[-2:] for _, command, _ in apart] == [["tests/e2e", "-x"], ["tests/rtc", "-x"]]
    assert len({report, *(each for _, _, each in apart)}) == 3


def test_fast_leaves_out_browsers_and_slow_tests(runner: ModuleType) -> None:
    ((_, command, _),) = runner.suites([], is_fast=True)
    assert command[-2:] == ["-m", "not slow"]


def test_paths_choose_the_suite(runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    (tmp_path / "tests" / "e2e").mkdir(parents=True)
    (tmp_path / "tests" / "test_it.py").touch()
    path = "tests/test_it.py::test_a"
    ((_, command, _),) = runner.suites([path, "-k", "paths"], is_fast=False)
    assert "tests" not in command
    assert command[-5:] == [path, "--ignore=tests/e2e", "--ignore=tests/rtc", "-k", "paths"]
    ((name, command, _),) = runner.suites(["tests/e2e"], is_fast=False)
    assert name == "pytest tests/e2e"
    assert command[-1] == "tests/e2e"


def test_apt_is_tried_again_and_then_given_up(runner: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def locked(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        calls.append(command[2])
        return subprocess.CompletedProcess(command, 100, stdout="E: Could not get lock")

    monkeypatch.setattr(runner.subprocess, "run", locked)
    monkeypatch.setattr(runner.time, "sleep", lambda _seconds: None)
    runner.install(["chromium"])
    assert calls == ["update"] * 5


def test_what_is_missing_is_said_with_what_it_costs(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "is_debian", lambda: False)
    monkeypatch.setattr(runner.shutil, "which", lambda _name: None)
    runner.provide_programs(is_fast=False)
    said = capsys.readouterr().out
    assert "missing: chromium (" in said
    assert "skipped: browser tests in Chromium" in said
    assert runner.missing_packages(is_fast=True) == ["coturn", "haproxy", "nginx", "gcc"]


@pytest.mark.parametrize(
    ("require_all", "words"),
    [
        ("", ["1 passed", "2 skipped", "1 xfailed"]),
        ("1", ["1 passed", "1 failed", "1 error", "1 xfailed", "no browser here"]),
    ],
)
def test_a_skip_is_a_failure_where_all_is_required(tmp_path: Path, require_all: str, words: list[str]) -> None:
    shutil.copy(Path(__file__).resolve().parents[2] / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(SUITE)
    output = run_pytest(tmp_path, require_all)
    for word in words:
        assert word in output


def test_a_module_that_skips_itself_is_a_failure_where_all_is_required(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).resolve().parents[2] / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    assert "1 skipped" in run_pytest(tmp_path, "")
    assert "1 error" in run_pytest(tmp_path, "1")


def run_pytest(directory: Path, require_all: str) -> str:
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-ra",
            "--rootdir",
            str(directory),
            str(directory),
        ],
        env={**os.environ, "WIREHOP_REQUIRE_ALL": require_all},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout + result.stderr


def test_a_failure_that_passes_when_run_again_is_counted_as_passed_and_named(
    runner: ModuleType, tmp_path: Path
) -> None:
    first, again = tmp_path / "report.xml", tmp_path / "report.again.xml"
    first.write_text(REPORT)
    again.write_text(
        '<testsuites><testsuite><testcase name="c"/><testcase name="d"><error/></testcase></testsuite></testsuites>'
    )
    counts = runner.Counts()
    counts.add(first)
    failed = runner.failures(first)
    counts.add_again(again, failed)
    assert str(counts) == "3 passed, 1 failed, 1 skipped"
    assert counts.unsteady == ["None::c"]


def test_a_second_run_that_left_no_report_makes_nothing_better(runner: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    counts = runner.Counts()
    counts.add(report)
    counts.add_again(tmp_path / "gone.xml", runner.failures(report))
    assert str(counts) == "2 passed, 2 failed, 1 skipped"
    assert counts.unsteady == []


def test_suites_beside_each_other_are_all_run_and_shown(
    runner: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def suite(name: str, code: int) -> object:
        # each goes on only when the other has begun: one after the other they would wait for ever
        here, there = tmp_path / name, tmp_path / {"one": "two", "two": "one"}[name]
        program = (
            f"import pathlib, sys, time; pathlib.Path({str(here)!r}).touch()\n"
            f"while not pathlib.Path({str(there)!r}).exists(): time.sleep(0.01)\n"
            f"print('{name} was here'); sys.exit({code})"
        )
        return runner.Suite(name, [sys.executable, "-c", program], tmp_path / f"{name}.xml")

    assert runner.run_beside([suite("one", 0), suite("two", 3)]) == [0, 3]
    said = capfd.readouterr().out
    assert "one was here" in said
    assert "two was here" in said
    assert "=== two: exit code 3" in said
