"""`wirehop run -- COMMAND`: run any command, and publish what it says, live."""

import asyncio
import contextlib
import re
import secrets
import signal
import sys
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final, cast

import click

from wirehop.cli.announcing import Announcer, Where
from wirehop.cli.shared import token_option, url_option
from wirehop.client.client import WIRES as AUTO
from wirehop.client.client import Client, WireName
from wirehop.core.errors import WirehopError
from wirehop.jobs.job import Job
from wirehop.jobs.records import STDERR, Ended

WIRES: Final = ("auto", "websocket", "sse", "stream", "long-poll", "short-poll")
FAILED: Final = 125
"""Exit code where not the command failed but publishing, before it began (as `env` and `timeout` say it)."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@url_option
@token_option
@click.option("--channel", metavar="NAME", help="Where its log goes.  [default: run-log:NAME-RUN]")
@click.option(
    "--status",
    metavar="NAME",
    default="run:all",
    show_default=True,
    help="Where it is said that it runs, and how it ended; empty: nowhere.",
)
@click.option(
    "--control",
    metavar="NAME",
    help="Where it takes orders to end; empty: nowhere.  [default: run-control:NAME-RUN]",
)
@click.option("--name", metavar="TEXT", default="", help="What it is called; without it, by its program.")
@click.option("--wire", type=click.Choice(WIRES), default="auto", show_default=True, help="How to publish.")
@click.option("--tty", is_flag=True, help="Give it a terminal, so that it shows colours and progress.")
@click.option("--quiet", "-q", is_flag=True, help="Show nothing of it here.")
@click.option(
    "--grace",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Between asking it to end and ending it.",
)
@click.option(
    "--flush",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="For what is not published yet when it has ended.",
)
def run(
    command: tuple[str, ...],
    *,
    url: str,
    token: str,
    channel: str | None,
    status: str,
    control: str | None,
    name: str,
    wire: str,
    tty: bool,
    quiet: bool,
    grace: float,
    flush: float,
) -> int:
    """Run COMMAND with its arguments, and publish its output line by line as it comes, with the time of each line.

    The exit code is the command's. It goes on while the server cannot be reached: what it says is kept, and when much
    is kept it has to wait; nothing is left out. Whoever may publish to the control channel can end it.
    """
    number = secrets.token_hex(6)
    name = name or PurePath(command[0]).name
    word = f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)[:60].strip('-') or 'command'}-{number}"
    where = Where(
        number,
        name[:80],
        f"run-log:{word}" if channel is None else channel,
        f"run-control:{word}" if control is None else control,
        status,
    )
    wires = AUTO if wire == "auto" else (cast(WireName, wire),)
    client = Client(url, token=token, name="wirehop-run", wires=wires)
    job = Job(
        command,
        name=where.name,
        run=number,
        publish=lambda record, key: client.publish(where.channel, record, key=key),
        tty=tty,
        echo=None if quiet else Echo().show,
        grace=grace,
        flush=flush,
    )
    try:
        ended = asyncio.run(_run(job, client, where, is_quiet=quiet))
    except WirehopError as error:
        click.echo(f"wirehop run: {error}", err=True)
        return FAILED
    if ended.unpublished:
        why = f": {job.failure}" if job.failure is not None else ""
        click.echo(f"wirehop run: {ended.unpublished} of {ended.lines} lines were not published{why}", err=True)
    return ended.code


async def _run(job: Job, client: Client, where: Where, *, is_quiet: bool) -> Ended:
    async with client:
        announcer = Announcer(client, job, where)
        if not is_quiet:
            click.echo(f"wirehop run: published to {where.channel}", err=True)
        with _signals({signal.SIGINT: job.interrupt, signal.SIGTERM: job.cancel, _HANGUP: job.cancel}):
            async with announcer:
                ended = await job.run()
                await announcer.ended(ended)
    for problem in announcer.problems:
        click.echo(f"wirehop run: {problem}", err=True)
    return ended


class Echo:
    """The command's output, here as well. Who does not read it any more (`| head`) does not stop the command."""

    def __init__(self) -> None:
        self._left: set[int] = set()

    def show(self, stream: int, data: bytes) -> None:
        """As it came."""
        if stream in self._left:
            return
        try:
            file = (sys.stderr if stream == STDERR else sys.stdout).buffer
            file.write(data)
            file.flush()
        except BrokenPipeError:
            self._left.add(stream)


_HANGUP: Final = getattr(signal, "SIGHUP", None)


@contextlib.contextmanager
def _signals(handlers: dict[Any, Callable[[], None]]) -> Any:
    """Those of them that this system has, inside of the block."""
    loop = asyncio.get_running_loop()
    before: dict[Any, Any] = {}
    for number, handler in handlers.items():
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, handler)
        except NotImplementedError:  # Windows
            before[number] = signal.signal(number, lambda *_, call=handler: loop.call_soon_threadsafe(call))
    try:
        yield
    finally:
        for number in handlers:
            if number in before:
                signal.signal(number, before[number])
            elif number is not None:
                loop.remove_signal_handler(number)
