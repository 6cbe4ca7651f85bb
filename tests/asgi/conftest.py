"""The examples under other people's servers: started once for all tests of a pair."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `asgi_servers`: tests are no package

from asgi_servers import COMMANDS, Program, program

APPS = ("fastapi_app", "starlette_app", "django_app")


@pytest.fixture(scope="module", params=[(server, app) for app in APPS for server in COMMANDS], ids="-".join)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One server with one example."""
    server, app = request.param
    with program(COMMANDS[server], app, tmp_path_factory.mktemp(server) / "output") as running:
        yield running
