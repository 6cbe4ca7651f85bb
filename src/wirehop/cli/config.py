"""`wirehop config`: every setting, its value, and where that came from."""

import sys

import click
import msgspec

from wirehop.settings.describe import rows, sample_toml
from wirehop.settings.flags import settings_options
from wirehop.settings.load import Flags, load


@click.command()
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option("--changed", is_flag=True, help="Only what is not at its default.")
@click.option("--sample", is_flag=True, help="Print a sample settings file (TOML) and stop.")
def config(flags: Flags, *, as_json: bool, changed: bool, sample: bool) -> None:
    """Show each setting and where its value came from."""
    if sample:
        click.echo(sample_toml())
        return
    shown = [row for row in rows(load(flags)) if not (changed and row.is_default)]
    if as_json:
        click.echo(msgspec.json.encode({row.key: {"value": row.value, "origin": row.origin} for row in shown}))
        return
    if not sys.stdout.isatty():
        for row in shown:
            click.echo(f"{row.key}\t{row.value}\t{row.origin}")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("setting", "value", "from"):
        table.add_column(title, overflow="fold")
    for row in shown:
        table.add_row(row.key, row.value, row.origin, style=None if not row.is_default else "dim")
    Console().print(table)
