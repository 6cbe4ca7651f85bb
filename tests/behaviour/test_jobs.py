"""Jobs: real commands are run, and nothing of what they say is left out."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from wirehop.client.errors import RequestFailed
from wirehop.core.messages import Error, Position
from wirehop.jobs import Begun, Ended, Job, Lines, process, writer

pytestmark = pytest.mark.asyncio
SECONDS = 60.0


class Channel:
    """What was published; each key once."""

    def __init__(self, *, slow: float = 0.0) -> None:
        self.records: dict[str, object] = {}
        self.slow = slow
        self.errors: list[Exception] = []  # that the next publishes fail with

    async def publish(self, record: object, key: str) -> Position:
        if self.slow:
            await asyncio.sleep(self.slow)
        if self.errors and isinstance(record, Lines):
            raise self.errors.pop(0)
        self.records.setdefault(key, record)
        return Position("e", len(self.records))

    @property
    def lines(self) -> list[tuple[int, int, str]]:
        """Number, stream and text, as a reader puts them together."""
        batches = sorted(
            (each for each in self.records.values() if isinstance(each, Lines)), key=lambda each: each.first
        )
        return [
            (batch.first + index, line.stream, line.text) for batch in batches for index, line in enumerate(batch.lines)
        ]

    @property
    def times(self) -> list[int]:
        batches = [each for each in self.records.values() if isinstance(each, Lines)]
        return [batch.at + line.after for batch in batches for line in batch.lines]

    @property
    def said(self) -> list[str]:
        return [text for _, _, text in self.lines]


def job(channel: Channel, command: Sequence[str], **options: object) -> Job:
    return Job(command, name="test", run="r1", publish=channel.publish, **options)  # type: ignore[arg-type]


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


async def run(each: Job) -> Ended:
    async with asyncio.timeout(SECONDS):
        return await each.run()


async def until_said(channel: Channel, text: str) -> str:
    """The line that has it."""
    async with asyncio.timeout(SECONDS):
        while not (found := [line for line in channel.said if text in line]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found[0]


async def until_gone(pid: int) -> None:
    def is_there() -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    async with asyncio.timeout(SECONDS):
        while is_there():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "code", "signal"),
    [
        (["sh", "-c", "exit 0"], 0, ""),
        (["sh", "-c", "exit 3"], 3, ""),
        (["sh", "-c", "kill -9 $$"], 137, "SIGKILL"),
        (["no-such-command-anywhere"], 127, ""),
        (["/etc/hostname"], 126, ""),
    ],
)
async def test_the_exit_code_is_the_commands(command: list[str], code: int, signal: str) -> None:
    channel = Channel()
    ended = await run(job(channel, command))
    assert (ended.code, ended.signal, ended.cancelled) == (code, signal, False)
    first, *_, last = channel.records.values()
    assert isinstance(first, Begun)
    assert last == ended


async def test_lines_have_their_streams_and_true_times() -> None:
    channel = Channel()
    code = "import sys, time; print('a'); sys.stderr.write('b\\n'); time.sleep(0.4); sys.stdout.write('\\x1b[31mc')"
    began = time.time()
    ended = await run(job(channel, python(code)))
    assert sorted(channel.lines, key=lambda line: line[2][-1]) == [
        (channel.said.index("a") + 1, 1, "a"),
        (channel.said.index("b") + 1, 2, "b"),
        (3, 1, "\x1b[31mc"),
    ]
    assert ended.lines == 3
    assert channel.times[2] - channel.times[0] >= 350
    assert began * 1000 - 1 <= channel.times[0] <= channel.times[2] <= time.time() * 1000 + 1


async def test_many_lines_over_a_slow_link_hold_the_command_back_and_none_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "HELD_BYTES", 65_536)
    monkeypatch.setattr(writer, "BATCH_BYTES", 4_096)
    channel = Channel(slow=0.02)
    each = job(channel, ["seq", "40000"])
    task = asyncio.create_task(run(each))
    most = 0
    while not task.done():
        published = sum(len(record.lines) for record in channel.records.values() if isinstance(record, Lines))
        most = max(most, each.lines - published)
        await asyncio.sleep(0.01)
    ended = await task
    assert channel.said == [str(number) for number in range(1, 40_001)]
    assert (ended.lines, ended.unpublished) == (40_000, 0)
    # what is held, what is on its way, and one read of a pipe
    assert most < (65_536 + 8 * 4_096) / 16 + 65_536 / 3


async def test_what_fails_for_the_moment_is_published_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "AGAIN_SECONDS", 0.05)
    channel = Channel()
    channel.errors = [RequestFailed(Error(111, "too many requests", temporary=True))] * 3
    ended = await run(job(channel, ["seq", "2000"]))
    assert len(channel.said) == 2000
    assert [number for number, _, _ in channel.lines] == list(range(1, 2001))
    assert ended.unpublished == 0


async def test_what_is_refused_for_good_is_counted_and_the_command_goes_on() -> None:
    channel = Channel()
    channel.errors = [RequestFailed(Error(103, "permission denied"))]
    shown: list[bytes] = []
    each = job(channel, ["sh", "-c", "echo a; sleep 0.3; echo b; exit 5"], echo=lambda _, data: shown.append(data))
    ended = await run(each)
    assert (ended.code, ended.lines, ended.unpublished) == (5, 2, 2)
    assert b"".join(shown) == b"a\nb\n"
    assert isinstance(each.failure, RequestFailed)


async def test_what_cannot_be_flushed_in_time_is_counted() -> None:
    channel = Channel(slow=0.0)
    each = job(channel, ["seq", "10"], flush=0.2)
    task = asyncio.create_task(run(each))
    await each.begun.wait()
    channel.slow = 60.0
    ended = await task
    assert (ended.code, ended.lines, ended.unpublished) == (0, 10, 10)


async def test_nothing_is_run_where_nothing_may_be_published(tmp_path: Path) -> None:
    async def refuse(_record: object, _key: str) -> None:
        raise RequestFailed(Error(103, "permission denied"))

    mark = tmp_path / "ran"
    with pytest.raises(RequestFailed):
        await Job(["touch", str(mark)], name="touch", run="r1", publish=refuse).run()
    assert not mark.exists()


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(600)"])
print(f"child {child.pid}")
time.sleep(600)
"""


async def test_cancel_ends_what_will_not_end_with_all_that_it_has_started() -> None:
    channel = Channel()
    each = job(channel, python(STUBBORN), grace=0.3)
    task = asyncio.create_task(run(each))
    child = int((await until_said(channel, "child")).split()[1])
    assert each.process is not None
    parent = each.process.pid
    each.cancel()
    ended = await task
    assert (ended.code, ended.signal, ended.cancelled) == (137, "SIGKILL", True)
    await until_gone(parent)
    await until_gone(child)


async def test_cancel_lets_a_command_clean_up() -> None:
    channel = Channel()
    code = """import signal, sys, time
def end(*_):
    print("cleaned")
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("ready")
time.sleep(600)"""
    each = job(channel, python(code), grace=20.0)
    task = asyncio.create_task(run(each))
    await until_said(channel, "ready")
    each.cancel()
    ended = await task
    assert (ended.code, ended.cancelled) == (7, True)
    assert channel.said == ["ready", "cleaned"]


async def test_interrupts_become_stronger() -> None:
    channel = Channel()
    each = job(
        channel, ["sh", "-c", "trap 'echo INT' INT; trap 'echo TERM' TERM; echo ready; while :; do sleep 0.05; done"]
    )
    task = asyncio.create_task(run(each))
    await until_said(channel, "ready")
    each.interrupt()
    await until_said(channel, "INT")
    each.interrupt()
    await until_said(channel, "TERM")
    each.interrupt()
    assert (await task).signal == "SIGKILL"


async def test_a_job_that_is_cancelled_from_within_leaves_no_process() -> None:
    channel = Channel()
    each = job(channel, python(STUBBORN), grace=5.0)
    task = asyncio.create_task(each.run())
    child = int((await until_said(channel, "child")).split()[1])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_gone(child)


async def test_what_a_command_leaves_behind_does_not_keep_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LINGER_SECONDS", 0.2)
    channel = Channel()
    ended = await run(job(channel, ["sh", "-c", "sleep 20 & echo $!; exit 0"]))
    assert ended.code == 0
    pid = int(channel.said[0])
    assert psutil.pid_exists(pid), "it was not ours to end"
    os.kill(pid, 9)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals there")
async def test_with_a_terminal_the_command_sees_one() -> None:
    channel = Channel()
    code = "import os, sys; print(sys.stdout.isatty(), sys.stderr.isatty(), os.get_terminal_size(1).columns > 0)"
    ended = await run(job(channel, python(code), tty=True))
    assert channel.said == ["True True True"]
    assert ended.code == 0
