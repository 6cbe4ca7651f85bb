"""Where the modules that tests here share are found, and how hard they are: tests are no package."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "behaviour"))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "hosts" / "native"))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "rtc"))
sys.path.insert(0, str(Path(__file__).parent))

import fuzzing


def pytest_configure(config: pytest.Config) -> None:
    """`--fuzz N` is read before the tests are."""
    fuzzing.times = config.getoption("--fuzz")
