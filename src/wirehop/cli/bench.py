"""`wirehop bench`: what this machine can do, beside a C program that only sends, where there is a compiler."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from wirehop.bench.plan import QUICK, Plan, fitted, raise_file_limit
from wirehop.bench.report import bar_of_text, costs, curve_of_text, headline, page, rows
from wirehop.bench.run import Report, Say, expected_seconds, run

if TYPE_CHECKING:
    from rich.console import Console


@click.command()
@click.option("--subscribers", metavar="N", type=click.IntRange(1, 25_000), help="Clients of the fan-out (1000).")
@click.option(
    "--duration",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 60),
    help="Of each measurement (2); there are three for each server and round.",
)
@click.option("--rounds", metavar="N", type=click.IntRange(1, 50), help="How often all is measured (3).")
@click.option("--size", metavar="BYTES", type=click.IntRange(25, 16_000), help="Of a payload (128).")
@click.option("--quick", is_flag=True, help="A look: 200 subscribers, one round of a third of a second.")
@click.option(
    "--json", "as_json", metavar="FILE", type=click.Path(path_type=Path), help="Write all figures (`-`: here)."
)
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="Write a page with plots.")
def bench(
    *,
    subscribers: int | None,
    duration: float | None,
    rounds: int | None,
    size: int | None,
    quick: bool,
    as_json: Path | None,
    html: Path | None,
) -> None:
    """Measure connects, fan-out, latency, echo and memory on this machine.

    A server and a load generator are started on loopback, and beside them, where a C compiler is found, a program
    that does nothing but send: the floor that the ratios stand on. They take turns; of every figure the least of all
    rounds is shown. Exit code 1 where a delivery was missing.
    """
    base = QUICK if quick else Plan()
    plan = Plan(
        subscribers=subscribers or base.subscribers,
        seconds=duration or base.seconds,
        rounds=rounds or base.rounds,
        size=size or base.size,
    )
    plan, said = fitted(plan, raise_file_limit())
    if said:
        click.echo(f"wirehop: {said}", err=True)
    with _progress(plan) as say:
        report = asyncio.run(run(plan, say))
    if as_json is not None:
        text = msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
        if str(as_json) == "-":
            sys.stdout.write(text.decode())
        else:
            as_json.write_bytes(text)
    if html is not None:
        html.write_text(page(report), encoding="utf-8")
    if str(as_json) != "-":
        _show(report)
    if report.wirehop.missing:
        raise click.ClickException(f"{report.wirehop.missing:,} deliveries were missing")


@contextlib.contextmanager
def _progress(plan: Plan) -> Iterator[Say]:
    """A bar on a terminal, nothing elsewhere. It moves on when a measurement is over, as far as was foreseen."""
    if not sys.stderr.isatty():
        yield lambda _what, _seconds: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=expected_seconds(plan))
        running = 0.0

        def say(what: str, seconds: float) -> None:
            nonlocal running
            progress.update(task, description=what, advance=running)
            running = seconds

        yield say


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(headline(report), style="dim")
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for title in ("wirehop", "C, send(2)", "ratio"):
        table.add_column(title, justify="right")
    for row in rows(report):
        table.add_row(row.what, row.wirehop, row.floor, row.ratio)
    console.print(table)
    if report.no_floor:
        console.print(report.no_floor, style="yellow")
    _plot(report, console)


def _plot(report: Report, console: "Console") -> None:
    width = max(10, min(50, console.width - 40))
    for title, bars in costs(report):
        console.print(f"\n{title}", style="bold")
        most = max(bar.value for bar in bars)
        for bar in bars:
            style = "blue" if bar.is_ours else "dim"
            console.print(f"{bar.label:>12} ", end="")
            console.print(bar_of_text(bar.value, most, width), style=style, end="")
            console.print(f" {bar.value:,.1f}")
    ours = report.wirehop
    if ours.shape:
        console.print(f"\nlatency at {ours.steady_per_second:,.0f} deliveries a second", style="bold")
        console.print(f"{'':12} ", end="")
        console.print(curve_of_text(ours.shape), style="blue")
        console.print(f"{'':12} 0{ours.shape_ms:>{len(ours.shape) - 4}.1f} ms")
