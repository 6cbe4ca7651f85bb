"""The worlds of this folder can be imported, and what the walks went through is printed at the end of a run."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    walked = [
        (report.nodeid.rpartition("::")[2], value)
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == "paths"
    ]
    if walked:
        terminalreporter.section("walks")
        for name, paths in walked:
            terminalreporter.write_line(f"{paths:>9,} paths  {name}")
        terminalreporter.write_line(f"{sum(int(paths) for _, paths in walked):>9,} paths in all, none of them wrong")
