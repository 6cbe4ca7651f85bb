"""`wirehop lab`: the lab's page, in the browser of this machine. `wirehop lab report` measures without one."""

import webbrowser
from importlib import import_module
from importlib.util import find_spec
from typing import Final

import click

from wirehop.cli.serve import serve_demos
from wirehop.logs import configure
from wirehop.settings.flags import settings_options
from wirehop.settings.load import Flags, load
from wirehop.settings.values import Given

COMMANDS: Final = {"report": "wirehop.cli.lab_report"}
"""By name, with the module that has the command of that name."""


class LazyLab(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return [name for name, module in COMMANDS.items() if find_spec(module) is not None]

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(_context):
            return None
        command = getattr(import_module(COMMANDS[name]), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyLab, invoke_without_command=True)
@settings_options
@click.option("--browser/--no-browser", default=True, help="Open the page (or only say where it is).")
@click.pass_context
def lab(context: click.Context, flags: Flags, *, browser: bool) -> None:
    """Compare all wires over links as bad as you like: serve the lab's page in development mode, and open it."""
    if context.invoked_subcommand is not None:
        return
    settings = load(Flags({**flags.values, "dev": Given(value=True, origin="wirehop lab")}, flags.config)).settings
    configure(settings.server.log_format, settings.server.log_level)
    serve_demos(settings, _show if browser else _say)


def _say(url: str) -> None:
    click.echo(f"the lab is at {url}/lab/")


def _show(url: str) -> None:
    _say(url)
    if not webbrowser.open(f"{url}/lab/"):
        click.echo("no browser was found", err=True)
