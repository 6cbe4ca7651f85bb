"""Rules for all tests: with `WIREHOP_REQUIRE_ALL=1` (scripts/test --require-all) a skip is a failure.

An expected failure (xfail) stays what it is.

Options here make tests of tests/hardening longer; each runs in its short form without them.
"""

import os
from collections.abc import Generator

import pytest

# Taken out of the environment: servers that tests start read it, and know no such setting.
REQUIRE_ALL = os.environ.pop("WIREHOP_REQUIRE_ALL", "") == "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long to be hard."""
    group = parser.getgroup("hardening")
    group.addoption("--autobahn-all", action="store_true", help="Autobahn's cases of compression too (12 and 13)")
    group.addoption("--fuzz", type=int, default=1, metavar="N", help="N times as many examples in test_fuzz_*.py")
    group.addoption("--drops", type=int, default=10_000, metavar="N", help="connects and drops in test_drops.py")
    group.addoption("--soak", type=float, default=8.0, metavar="SECONDS", help="how long test_soak.py runs")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skips itself."""
    report = yield
    if REQUIRE_ALL and report.skipped:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"skipped, but nothing may be skipped here (WIREHOP_REQUIRE_ALL): {reason}"
