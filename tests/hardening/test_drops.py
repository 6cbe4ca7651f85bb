"""Ten thousand connects and drops of all kinds (`--drops 100000`): memory and everything else stay where they were."""

import sys

import pytest
from measured import Measured, measured
from visitors import KINDS, visit

PLATEAUS = 5
WARM = 3000
"""Visitors before the first measurement: what allocators and caches keep is kept then."""
BYTES = 1_500_000
"""What may be kept more at the end than at the first plateau: noise of allocators, whatever the number of visitors."""
OBJECTS = 300

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.fixture
def count(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--drops"))


def plateaus(server: Measured, count: int) -> list[dict[str, object]]:
    visit(server.port, WARM)
    found = [server.at_rest()]
    for _ in range(PLATEAUS):
        visit(server.port, count // PLATEAUS)
        found.append(server.at_rest())
    return found


def test_memory_is_flat_over_connects_and_drops(count: int) -> None:
    with measured(namespace={"history_size": 20}) as server:
        found = plateaus(server, count)
    lines = [f"{each['pss'] / 1e6:.2f} MB {each['objects']} objects {each['files']} files" for each in found]  # type: ignore[operator]
    print("\n".join([f"{count} visitors of {len(KINDS)} kinds:", *lines]))
    first, last = found[1], found[-1]
    assert last["objects"] - first["objects"] < OBJECTS, (first["kinds"], last["kinds"])  # type: ignore[operator]
    assert last["files"] == first["files"]
    for name in ("rss", "pss"):
        assert last[name] - first[name] < BYTES, lines  # type: ignore[operator]
    assert last["errors"] == 0
    counters = last["counters"]
    assert isinstance(counters, dict)
    assert set(counters) <= {"http.bad_request"}, counters
