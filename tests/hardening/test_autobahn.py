"""The native host under Autobahn's fuzzing client: no case fails. `--autobahn-all` adds compression (12 and 13)."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import autobahn
import pytest

SECONDS = 180.0
SECONDS_OF_ALL = 3000.0
NUMBERS = {1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1}
"""Cases in each group; there is no group 8 or 11 in this version of the suite."""

Found = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of an echo server in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("echo_server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest, echo: int, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What the suite says, by case."""
    is_all = request.config.getoption("--autobahn-all")
    try:
        autobahn.wstest()
    except autobahn.Unavailable as reason:
        pytest.skip(str(reason))
    cases = autobahn.DEFAULT + (autobahn.COMPRESSION if is_all else [])
    place = tmp_path_factory.mktemp("autobahn")
    return autobahn.run(echo, cases, place, seconds=SECONDS_OF_ALL if is_all else SECONDS)


def bad(found: Found, group: int) -> dict[str, tuple[str, str]]:
    """The cases of a group that did not pass, with what they and their closing handshake were."""
    verdicts = {
        case: (result["behavior"], result["behaviorClose"])
        for case, result in found.items()
        if case.split(".")[0] == str(group)
    }
    return {case: verdict for case, verdict in verdicts.items() if not set(verdict) <= set(autobahn.GOOD)}


@pytest.mark.parametrize("group", NUMBERS)
def test_no_case_fails(found: Found, group: int) -> None:
    assert bad(found, group) == {}
    assert sum(case.startswith(f"{group}.") for case in found) == NUMBERS[group]


def test_no_case_of_compression_fails_where_it_is_asked_for(found: Found, request: pytest.FixtureRequest) -> None:
    asked = request.config.getoption("--autobahn-all")
    compressed = [case for case in found if case.startswith(("12.", "13."))]
    assert bool(compressed) == asked
    assert bad(found, 12) == {}
    assert bad(found, 13) == {}


def test_little_is_not_strict(found: Found) -> None:
    """What is strict stays strict: late detection of bad text within one long frame is all that is not."""
    lax = {case for case, result in found.items() if "NON-STRICT" in (result["behavior"], result["behaviorClose"])}
    assert lax <= NOT_STRICT, sorted(lax - NOT_STRICT)


NOT_STRICT = {"6.4.3", "6.4.4"}  # text that is not UTF-8 is refused when its frame is whole, not at its first bad byte
