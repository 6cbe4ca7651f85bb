"""The group of commands, and how an error of settings reaches the user: one sentence, exit code 2, no traceback."""

import sys

import click

from wirehop.cli.config import config
from wirehop.cli.serve import serve
from wirehop.core.errors import WirehopError
from wirehop.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wirehop")
def cli() -> None:
    """One channel, any wire: a real-time server for Python."""


cli.add_command(serve)
cli.add_command(config)


def main() -> None:
    """The entry point of the `wirehop` program."""
    try:
        cli()
    except WirehopError as error:
        click.echo(f"wirehop: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
