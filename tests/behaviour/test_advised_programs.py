"""The servers that the advisor writes run: with the settings that go with them, and our client on the other side."""

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from node_under_test import running

from wirehop.advisor import SCENARIOS, Advice, advise
from wirehop.cli.app import merged
from wirehop.client import Client
from wirehop.measured.profile import load_profile
from wirehop.node import Node
from wirehop.settings.load import load
from wirehop.testing.full import cases

SECRET = "a secret of 32 bytes or more made for tests"
ADVICE = {name: advise(scenario.inputs, load_profile()) for name, scenario in SCENARIOS.items()}
DIFFERENT = tuple({each.server: name for name, each in ADVICE.items()}.values())
"""One scenario for each program."""


def application(advice: Advice, place: Path) -> tuple[Node, dict[str, Any]]:
    """The node of `app.py` under `wirehop.toml`, and the names of that module."""
    (place / "wirehop.toml").write_text(advice.settings, encoding="utf-8")
    loaded = load(environ={"WIREHOP_AUTH__SECRETS": SECRET}, directory=place)
    names: dict[str, Any] = {"__name__": "app"}
    exec(compile(advice.server, "app.py", "exec"), names)
    node = names["node"]
    settings = merged(loaded.settings, node.settings, loaded.origins)
    node.use(settings)
    return node, names


def token() -> str:
    return jwt.encode({"sub": "ada", "exp": int(time.time()) + 600}, SECRET, algorithm="HS256")


@pytest.mark.asyncio
@pytest.mark.parametrize("name", cases(DIFFERENT, tuple(ADVICE)))
async def test_a_server_does_what_it_is_for(name: str, tmp_path: Path) -> None:
    advice = ADVICE[name]
    node, names = application(advice, tmp_path)
    channel = f"{next(key for key in node.settings.namespaces if key)}:1"
    async with (
        running(node) as server,
        Client(f"http://127.0.0.1:{server.port}", token=token()) as client,
    ):
        if "ask" in names:
            await tokens_come_from_the_beginning(client)
            return
        async with client.subscribe(channel) as subscription:
            if "tell" in names:
                await names["tell"]({"text": "hello"})
            else:
                await client.publish(channel, {"text": "hello"})
            publication = await anext(subscription)
            assert publication.data == {"text": "hello"} | ({"from": "ada"} if "publish" in names else {})


async def tokens_come_from_the_beginning(client: Client) -> None:
    channel, epoch = await client.rpc("ask", "why")
    told: dict[int, object] = {}
    async with client.subscribe(channel) as subscription:
        page, top = await client.history(channel, limit=10)
        assert top.epoch == epoch
        told.update((each.offset, each.data) for each in page)
        while len(told) < 4:
            each = await anext(subscription)
            told[each.offset] = each.data
    assert told == {1: "", 2: "You ", 3: "asked: ", 4: "why "}
