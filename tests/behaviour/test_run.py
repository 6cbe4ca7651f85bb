"""`wirehop run` as people use it: real commands, a real server, every wire, and a network that breaks."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import pytest_asyncio

from wirehop.checker.proxy import ImpairingProxy
from wirehop.core.messages import Position
from wirehop.hosts.native import NativeServer
from wirehop.jobs.records import Begun, Ended, Lines, Status
from wirehop.node import Node
from wirehop.settings.tree import Namespace
from wirehop.site import Site
from wirehop.testing.full import cases

pytestmark = pytest.mark.asyncio
WIREHOP = str(Path(sys.executable).with_name("wirehop"))
SECONDS = 40.0
OPEN = Namespace(history_size=10_000, subscribe="anyone", publish="anyone")
READ_ONLY = Namespace(subscribe="anyone")
Record = Begun | Lines | Ended
COUNTING = """import pathlib, sys, time
number = 0
while not pathlib.Path(sys.argv[1]).exists():
    for _ in range(40):
        number += 1
        print(f"line {number}")
    time.sleep(0.02)
print("the end")
"""


class Place:
    """A server with the namespaces of `wirehop run`, and one that nobody may publish to."""

    def __init__(self) -> None:
        self.node = Node(
            namespaces={"run": OPEN, "run-log": OPEN, "run-control": OPEN, "closed": READ_ONLY, "shut": Namespace()}
        )
        self.host = NativeServer(Site(self.node).open)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.host.port}"

    async def read(self, channel: str, kind: Any) -> list[Any]:
        """All of a channel."""
        found: list[Any] = []
        since: Position | None = None
        while True:
            page = await self.node.history(channel, since, limit=1000)
            if not page.publications:
                return found
            found += [msgspec.json.decode(each.data, type=kind) for each in page.publications]
            since = Position(page.top.epoch, page.publications[-1].offset)

    async def lines(self, channel: str) -> list[str]:
        """The log's lines by their numbers, each of which must be there once."""
        batches = [each for each in await self.read(channel, Record) if isinstance(each, Lines)]
        numbers = [batch.first + index for batch in batches for index in range(len(batch.lines))]
        assert sorted(numbers) == list(range(1, len(numbers) + 1)), "a line is missing, or there twice"
        return [line.text for batch in sorted(batches, key=lambda each: each.first) for line in batch.lines]

    async def statuses(self) -> list[Status]:
        return await self.read("run:all", Status)

    async def until(self, ask: Callable[[], Any]) -> Any:
        """Its first true answer."""
        async with asyncio.timeout(SECONDS):
            while not (found := await ask()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Place]:
    place = Place()
    await place.node.start()
    await place.host.start("127.0.0.1", 0)
    yield place
    await place.node.stop()
    await place.host.close()


@contextlib.asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        WIREHOP, "run", *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def end(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    async with asyncio.timeout(SECONDS):
        out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def test_the_command_is_seen_here_and_there(place: Place) -> None:
    async with running(
        "--url", place.url, "--name", "greeting", "--", "sh", "-c", "echo out; echo err >&2; exit 4"
    ) as process:
        code, out, errors = await end(process)
    assert (code, out) == (4, "out\n")
    channel = errors.splitlines()[0].rpartition(" ")[2]
    assert channel.startswith("run-log:greeting-")
    assert "err" in errors.splitlines()
    assert sorted(await place.lines(channel)) == ["err", "out"]
    *_, ended = await place.read(channel, Record)
    assert (ended.code, ended.lines, ended.unpublished, ended.cancelled) == (4, 2, 0, False)
    first, last = await place.statuses()
    assert (first.state, first.name, first.channel) == ("running", "greeting", channel)
    assert (last.state, last.code, last.lines, last.run) == ("failed", 4, 2, ended.run)


async def test_arguments_are_the_commands_own(place: Place) -> None:
    async with running(
        "--url",
        place.url,
        "--channel",
        "run-log:mine",
        "--status",
        "",
        "--control",
        "",
        "-q",
        "printf",
        "%s\\n",
        "--quiet",
        "-q",
    ) as process:
        assert await end(process) == (0, "", "")
    assert await place.lines("run-log:mine") == ["--quiet", "-q"]
    assert await place.statuses() == []


@pytest.mark.parametrize(
    "wire", cases(("websocket", "long-poll"), ("websocket", "stream", "sse", "long-poll", "short-poll"))
)
async def test_cuts_lose_nothing_and_double_nothing(place: Place, wire: str, tmp_path: Path) -> None:
    proxy = ImpairingProxy("127.0.0.1", place.host.port)
    await proxy.start()
    stop = tmp_path / "stop"
    own = ("--url", proxy.url, "--wire", wire, "-q", "--channel", "run-log:cut")
    try:
        async with running(*own, sys.executable, "-u", "-c", COUNTING, str(stop)) as process:
            ending = asyncio.create_task(end(process))
            for _ in range(cases([2], [5])[0]):
                await more(place, "run-log:cut")
                proxy.cut()
            await more(place, "run-log:cut")
            stop.touch()
            assert await ending == (0, "", "")
    finally:
        await proxy.stop()
    lines = await place.lines("run-log:cut")
    assert lines == [f"line {number}" for number in range(1, len(lines))] + ["the end"]
    assert (await place.statuses())[-1].state == "passed"


async def more(place: Place, channel: str) -> None:
    """Returns when something more was published."""
    before = len(await place.read(channel, Record))

    async def is_more() -> bool:
        return len(await place.read(channel, Record)) > before + 2

    await place.until(is_more)


async def test_somebody_cancels_it_from_elsewhere(place: Place) -> None:
    async with running(
        "--url", place.url, "--grace", "0.2", "-q", "sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.1; done"
    ) as process:
        status = (await place.until(place.statuses))[0]
        pid = int((await place.until(lambda: place.lines(status.channel)))[0])
        await place.node.publish(status.control, {"run": "another", "do": "kill"})
        await place.node.publish(status.control, {"run": status.run, "do": "nonsense"})
        await place.node.publish(status.control, "not an order")
        assert psutil.pid_exists(pid)
        await place.node.publish(status.control, {"run": status.run, "do": "cancel"})
        code, _, errors = await end(process)
    assert (code, errors) == (137, "")
    assert not psutil.pid_exists(pid)
    last = (await place.statuses())[-1]
    assert (last.state, last.code, last.signal) == ("cancelled", 137, "SIGKILL")


async def test_ctrl_c_reaches_the_command(place: Place) -> None:
    async with running(
        "--url", place.url, "sh", "-c", "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    ) as process:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), SECONDS) == b"ready\n"
        process.send_signal(signal.SIGINT)
        code, out, _ = await end(process)
    assert (code, out) == (9, "interrupted\n")
    assert (await place.statuses())[-1].state == "cancelled"


async def test_where_nothing_may_be_published_nothing_is_run(place: Place, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    async with running("--url", place.url, "--channel", "closed:log", "touch", str(mark)) as process:
        code, _, errors = await end(process)
    assert code == 125
    assert "permission denied" in errors
    assert not mark.exists()
    assert await place.statuses() == []


async def test_without_orders_and_without_a_board_it_runs_and_says_so(place: Place) -> None:
    async with running(
        "--url", place.url, "--control", "shut:x", "--status", "closed:x", "-q", "echo", "hello"
    ) as process:
        code, out, errors = await end(process)
    assert (code, out) == (0, "")
    assert "it could not be cancelled from shut:x" in errors
    assert "it could not be announced in closed:x" in errors
