"""The native host on both loops."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `native_harness`: tests are no package

from native_harness import LOOPS, App, Host, running


@pytest.fixture(params=LOOPS)
def loop_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def host(app: App, loop_name: str) -> Iterator[Host]:
    with running(app, loop_name) as host:
        yield host
