"""The `wirehop` program as people and scripts use it, against a real node, by subprocess."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.hosts.native import NativeServer
from wirehop.node import Connecting, Node, User
from wirehop.settings.tree import Namespace
from wirehop.site import Site

WIREHOP = str(Path(sys.executable).with_name("wirehop"))
WIRES = ("websocket", "sse", "long-poll", "short-poll", "events")
SECONDS = 20.0
OPEN = Namespace(subscribe="anyone", publish="anyone")


class Place:
    """A node that can be started again on its port."""

    def __init__(self) -> None:
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.node = Node(namespaces={"": OPEN, "closed": Namespace(), "mine": Namespace(publish="signed-in")})

        @self.node.on_connect
        async def connect(connecting: Connecting) -> User | None:
            if connecting.token == "bad":
                raise Refused(codes.INVALID_TOKEN)
            return User(connecting.token) if connecting.token else None

        await self.node.start()
        self._host = NativeServer(Site(self.node).open)
        await self._host.start("127.0.0.1", self.port)
        self.port = self._host.port

    async def stop(self) -> None:
        await self.node.stop()
        await self._host.close()


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Place]:
    place = Place()
    await place.start()
    yield place
    await place.stop()


class Running:
    """A `wirehop` that runs. Every wait ends."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.states: list[str] = []

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def state(self, word: str) -> str:
        """The next line on stderr that has the word."""
        assert self.process.stderr is not None
        async with asyncio.timeout(SECONDS):
            while line := (await self.process.stderr.readline()).decode():
                self.states.append(line)
                if word in line:
                    return line
        raise AssertionError(f"{word!r} was not said: {self.states}")

    async def end(self) -> tuple[int, str, str]:
        async with asyncio.timeout(SECONDS):
            out, errors = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), errors.decode()


@contextlib.asynccontextmanager
async def started(*arguments: str, stdin: bytes | None = None) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        WIREHOP,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    if stdin is not None:
        process.stdin.write(stdin)
        process.stdin.close()
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def done(*arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    async with started(*arguments, stdin=stdin) as running:
        return await running.end()


# ---- publish ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_publish_prints_the_position_and_json_is_json_and_all_else_text(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "bytes"
    file.write_bytes(b"\x00\xff")
    for arguments, stdin in (
        (('{"a":1}',), None),
        (("hello",), None),
        (("12", "--text"), None),
        (("--binary", str(file)), None),
        (("-",), b'{"from":"stdin"}'),
    ):
        code, out, errors = await done("publish", "room", *arguments, "--url", place.url, stdin=stdin)
        assert (code, errors) == (0, "")
    page = await place.node.history("room")
    assert [(each.data, each.kind.name) for each in page.publications] == [
        (b'{"a":1}', "JSON"),
        (b"hello", "TEXT"),
        (b"12", "TEXT"),
        (b"\x00\xff", "BINARY"),
        (b'{"from":"stdin"}', "JSON"),
    ]
    assert out == f"{page.top.epoch}:{page.top.offset}\n"


@pytest.mark.asyncio
async def test_lines_of_the_input_are_publications_and_json_says_each_position(place: Place) -> None:
    code, out, _ = await done(
        "publish", "room", "-", "--lines", "--event", "tick", "--json", "--url", place.url, stdin=b"one\n2\nthree"
    )
    assert code == 0
    positions = [json.loads(line) for line in out.splitlines()]
    assert [each["offset"] for each in positions] == [1, 2, 3]
    assert all(
        each["channel"] == "room" and each["cursor"] == f"{each['epoch']}:{each['offset']}" for each in positions
    )
    page = await place.node.history("room")
    assert [each.data for each in page.publications] == [b"one", b"2", b"three"]
    assert [each.tags for each in page.publications] == [{"event": "tick"}] * 3


@pytest.mark.asyncio
async def test_a_key_publishes_once_and_a_token_says_who(place: Place) -> None:
    for _ in range(2):
        code, out, _ = await done("publish", "mine:x", "1", "--key", "k", "--token", "ada", "--url", place.url)
        assert code == 0
        assert out.endswith(":1\n")
    page = await place.node.history("mine:x")
    assert [each.info.user for each in page.publications if each.info] == ["ada"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("closed:x", "1"), 1, "wirehop: permission denied (103)\n"),
        (("mine:x", "1", "--token", "bad"), 1, "wirehop: invalid token (3500)\n"),
        (("room", "1", "--event", "reset"), 1, "an event name is"),
        (("room",), 2, "give DATA"),
        (("room", "1", "--lines"), 2, "--lines reads the standard input"),
        (("room", "1", "--url", "localhost:1"), 1, "must begin with http://"),
        (
            ("room", "1", "--url", "http://127.0.0.1:1"),
            1,
            "wirehop: cannot connect to 127.0.0.1:1: Connection refused\n",
        ),
    ],
)
async def test_what_cannot_be_published_is_one_sentence_and_an_exit_code(
    place: Place, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    url = () if "--url" in arguments else ("--url", place.url)
    got, out, errors = await done("publish", *arguments, *url)
    assert (got, out) == (code, "")
    assert sentence in errors
    assert "Traceback" not in errors


# ---- subscribe -------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", WIRES)
async def test_subscribe_shows_what_comes_for_people_and_ends_after_count(place: Place, wire: str) -> None:
    async with started("subscribe", "room", "--wire", wire, "--count", "3", "--url", place.url) as running:
        assert f"subscribed over {wire}" in await running.state("subscribed")
        await place.node.publish("room", {"a": 1})
        await place.node.publish("room", "two\x1b[2J", event="hello")
        await place.node.publish("room", "three")
        code, out, _ = await running.end()
    assert code == 0
    lines = out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}  #1  \{\"a\":1\}", lines[0])
    assert lines[1].endswith("#2  hello  two\\x1b[2J")
    assert lines[2].endswith("#3  three")


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", WIRES)
async def test_for_programs_it_is_one_object_a_line_whose_cursor_goes_on(place: Place, wire: str) -> None:
    for number in range(3):
        await place.node.publish("room", number)
    common = ("--wire", wire, "--json", "--url", place.url)
    async with started("subscribe", "room", "--history", "2", "--count", "3", *common) as running:
        states = json.loads(await running.state("subscribed"))
        assert states["state"] == "subscribed"
        await place.node.publish("room", 3, event="e")
        code, out, _ = await running.end()
    assert code == 0
    shown = [json.loads(line) for line in out.splitlines()]
    assert [(each["offset"], each["data"], each["channel"]) for each in shown] == [
        (2, 1, "room"),
        (3, 2, "room"),
        (4, 3, "room"),
    ]
    assert shown[2]["event"] == "e"
    code, out, errors = await done("subscribe", "room", "--since", shown[0]["cursor"], "--count", "2", *common)
    assert (code, [json.loads(line)["offset"] for line in out.splitlines()]) == (0, [3, 4])
    assert json.loads(errors.splitlines()[0]) == {"state": "subscribed", "recovered": True}


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", WIRES)
async def test_after_a_restart_of_the_server_it_comes_back_and_says_that_it_could_not_recover(
    place: Place, wire: str
) -> None:
    async with started("subscribe", "room", "--wire", wire, "--url", place.url) as running:
        await running.state("subscribed")
        await place.node.publish("room", "before")
        assert (await running.line()).endswith("before")
        await place.stop()
        await running.state("next try in")
        await place.start()
        assert "NOT recovered" in await running.state("subscribed")
        await place.node.publish("room", "after")
        assert (await running.line()).endswith("#1  after")
        running.process.send_signal(signal.SIGINT)
        code, _, errors = await running.end()
    assert code == 130
    assert "Traceback" not in errors


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", WIRES)
async def test_ctrl_c_ends_it_without_a_word_too_many(place: Place, wire: str) -> None:
    async with started("subscribe", "room", "--wire", wire, "--url", place.url) as running:
        await running.state("subscribed")
        running.process.send_signal(signal.SIGINT)
        assert await running.end() == (130, "", "\n"), "the line that ^C began is ended, and that is all"


@pytest.mark.asyncio
async def test_time_is_up(place: Place) -> None:
    assert (await done("subscribe", "room", "--timeout", "0.2", "--url", place.url))[0] == 0
    code, _, errors = await done("subscribe", "room", "--timeout", "0.2", "--count", "1", "--url", place.url)
    assert code == 1
    assert "0 of 1 publications came within 0.2 s" in errors


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", WIRES)
async def test_a_refusal_is_one_sentence(place: Place, wire: str) -> None:
    code, out, errors = await done("subscribe", "closed:x", "--wire", wire, "--url", place.url)
    assert (code, out, errors) == (1, "", "wirehop: permission denied (103)\n")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "arguments", [("--since", "nonsense"), ("--since", "e:1", "--history", "1"), ("--wire", "pigeon"), ("--count", "0")]
)
async def test_usage_errors_are_exit_code_2(place: Place, arguments: tuple[str, ...]) -> None:
    code, _, errors = await done("subscribe", "room", *arguments, "--url", place.url)
    assert code == 2
    assert "Traceback" not in errors


@pytest.mark.asyncio
async def test_a_reader_that_goes_away_ends_it_quietly(place: Place) -> None:
    async with started("subscribe", "room", "--url", place.url) as running:
        await running.state("subscribed")
        pipe: Any = running.process.stdout
        pipe._transport.close()
        for number in range(5):
            await place.node.publish("room", number)
            await asyncio.sleep(0.02)
        assert running.process.stderr is not None
        async with asyncio.timeout(SECONDS):
            errors = await running.process.stderr.read()
            assert await running.process.wait() == 1
    assert errors == b""


# ---- the rest --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_config_is_a_table_for_programs_where_it_is_piped_and_an_object_with_json() -> None:
    code, out, _ = await done("config", "--port", "9000", "--changed")
    assert (code, out) == (0, "server.port\t9000\t--port\n")
    code, out, _ = await done("config", "--port", "9000", "--json")
    assert json.loads(out)["server.port"] == {"value": "9000", "origin": "--port"}


@pytest.mark.asyncio
async def test_help_takes_less_than_a_fifth_of_a_second_of_cpu() -> None:
    best = 1.0
    for _ in range(3):
        before = os.times()
        code, out, _ = await done("--help")
        after = os.times()
        assert code == 0
        best = min(best, after.children_user + after.children_system - before.children_user - before.children_system)
    assert "publish" in out
    assert best < 0.2
