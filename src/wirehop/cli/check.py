"""`wirehop check [URL]`: clients go through faults, and what was lost, doubled, out of order or invented is said.

The exit code is 1 where something was.
"""

import asyncio
import contextlib
import shlex
import sys
from pathlib import Path

import click
import msgspec

from wirehop.checker.adapter import Capabilities, MakeAdapter
from wirehop.checker.adapters.process import ClientProcess
from wirehop.checker.adapters.wirehop import WirehopAdapter
from wirehop.checker.run import CheckFailed, Outcome, Plan, play
from wirehop.checker.schedule import SCENARIOS, Scenario
from wirehop.checker.server import ForeignServer, OwnServer
from wirehop.checker.trace import Trace

SHORT = Plan()
FULL = Plan(clients=50, seconds=60.0, rate=200.0)


@click.command()
@click.argument("url", required=False)
@click.option("--scenario", "names", multiple=True, metavar="NAME", type=click.Choice([*SCENARIOS]),
              help="What goes wrong; more than one may be named (all). `--list` shows them.")  # fmt: skip
@click.option("--list", "is_list", is_flag=True, help="Show the scenarios, and end.")
@click.option("--full", is_flag=True, help="50 clients, 60 s each, 200 publications a second.")
@click.option("--clients", metavar="N", type=click.IntRange(1, 2_000), help="How many (10).")
@click.option("--seconds", metavar="SECONDS", type=click.FloatRange(1, 3_600), help="Of each scenario (12).")
@click.option("--rate", metavar="N", type=click.FloatRange(0.1, 10_000), help="Publications a second, of all (50).")
@click.option("--seed", metavar="N", type=int, default=0, help="Of what is random in the faults.")
@click.option("--client", "command", metavar="COMMAND",
              help="A program with clients (docs/checker.md) instead of wirehop's Python client.")  # fmt: skip
@click.option("--server", "server_command", metavar="COMMAND",
              help="A program to start and restart as the server; {port} in it is its port.")  # fmt: skip
@click.option("--json", "as_json", metavar="FILE", type=click.Path(path_type=Path),
              help="Write what was found (`-`: here).")  # fmt: skip
def check(
    *,
    url: str | None,
    names: tuple[str, ...],
    is_list: bool,
    full: bool,
    clients: int | None,
    seconds: float | None,
    rate: float | None,
    seed: int,
    command: str | None,
    server_command: str | None,
    as_json: Path | None,
) -> int:
    """Let clients of the server at URL go through faults, and say what was lost, doubled, out of order or invented.

    Without URL a server is started for it (and, in one scenario, killed and started again).
    """
    if is_list:
        for each in SCENARIOS.values():
            click.echo(f"{each.name:<18} {each.what}")
        return 0
    if url and server_command:
        raise click.UsageError("either URL or --server")
    base = FULL if full else SHORT
    plan = Plan(clients or base.clients, seconds or base.seconds, rate or base.rate, seed)
    scenarios = [SCENARIOS[name] for name in names or SCENARIOS]
    is_quiet = str(as_json) == "-"
    outcomes = asyncio.run(_check(url, command, server_command, scenarios, plan, is_quiet=is_quiet))
    if as_json is not None:
        text = msgspec.json.format(msgspec.json.encode(outcomes), indent=1) + b"\n"
        if is_quiet:
            sys.stdout.write(text.decode())
        else:
            as_json.write_bytes(text)
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


async def _check(
    url: str | None, command: str | None, server_command: str | None, scenarios: list[Scenario], plan: Plan, *,
    is_quiet: bool,
) -> list[Outcome]:  # fmt: skip
    outcomes = []
    async with contextlib.AsyncExitStack() as stack:
        server: ForeignServer | OwnServer
        if url is not None:
            server = ForeignServer(url)
            await server.look()
        else:
            server = await stack.enter_async_context(OwnServer(shlex.split(server_command or "")))
        make: MakeAdapter = WirehopAdapter
        process = None
        if command is not None:
            process = await ClientProcess.start(shlex.split(command))
            stack.push_async_callback(process.stop)
            make = process.make
        can = make(f"http://{server.host}:{server.port}", 0, ()).capabilities()
        for scenario in scenarios:
            if why := _why_not(scenario, can, is_own=url is None):
                _say(f"--    {scenario.name:<18} left out: {why}", is_quiet=is_quiet)
                continue
            outcome = await play(make, server, scenario, plan)
            outcomes.append(outcome)
            _show(outcome, is_quiet=is_quiet)
    if not outcomes:
        raise CheckFailed("none of these scenarios can be played here")
    return outcomes


def _why_not(scenario: Scenario, can: Capabilities, *, is_own: bool) -> str:
    if scenario.moves and not can.moves:
        return f"clients of {can.name} do not move"
    if scenario.restarts and not is_own:
        return "the server is not ours to restart"
    if scenario.wires and not set(scenario.wires) & set(can.wires):
        return f"{can.name} has none of {', '.join(scenario.wires)}"
    if scenario.name in ("eaten-frames", "no-websocket") and can.wires == ("websocket",):
        return f"{can.name} has no other wire"
    return ""


def _say(text: str, *, is_quiet: bool) -> None:
    if not is_quiet:
        click.echo(text)


def _show(outcome: Outcome, *, is_quiet: bool) -> None:
    mark = click.style("ok  ", fg="green") if outcome.is_good else click.style("BAD ", fg="red")
    seen = f"{outcome.published:,} published, {outcome.deliveries:,} delivered"
    if outcome.moves:
        seen += f", {outcome.moves:,} moves ({outcome.pairs} pairs)"
    if outcome.gaps:
        seen += f", {outcome.gaps} gaps admitted"
    if outcome.unknown:
        seen += f", {outcome.unknown} outcomes unknown"
    _say(f"{mark}  {outcome.scenario:<18} {seen}; longest silence {outcome.longest_silence:.2f} s", is_quiet=is_quiet)
    for kind, count in outcome.counts.items():
        if count:
            _say(f"        {click.style(kind.replace('_', ' '), fg='red')}: {count:,}", is_quiet=is_quiet)
            _show_trace(outcome.traces[kind], is_quiet=is_quiet)


def _show_trace(trace: Trace, *, is_quiet: bool) -> None:
    _say(f"          {trace.finding.text}", is_quiet=is_quiet)
    for line in trace.lines:
        who = "all" if line.client < 0 else f"client {line.client}"
        _say(f"          {line.at:9.3f}  {who:<10} {line.wire:<11} {line.text}", is_quiet=is_quiet)
