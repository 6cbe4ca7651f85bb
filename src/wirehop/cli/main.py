"""The group of commands, and how an error reaches the user: one sentence, an exit code, no traceback.

0: done; 1: it did not work (refused, not reachable); 2: it was asked for wrongly (usage, settings); 130: interrupted.

A command is imported when it is used, so that `wirehop --help` is quick.
"""

import os
import sys
from importlib import import_module
from typing import Final

import click

from wirehop.version import __version__

COMMANDS: Final = {
    "serve": "Serve: the node of an application, or a server that stands alone.",
    "demo": "Show the demos in the browser: chat, calls, AI answers, markets, logs and others.",
    "publish": "Publish to a channel.",
    "subscribe": "Show what is published to a channel, as it comes.",
    "run": "Run a command, and publish what it says, line by line.",
    "call": "Be in a call: publish a test picture, a file or a camera, and record the others.",
    "token": "Make a token, look at one, or make a secret.",
    "config": "Show each setting and where its value came from.",
    "bench": "Measure what this machine can do: fan-out, latency, connects, echo, memory.",
    "lab": "Compare all wires over links as bad as you like, in the browser; `lab report` measures without one.",
    "check": "Let clients go through faults, and say what was lost, doubled, out of order or invented.",
    "advise": "Say which technique fits an application, why, and what it costs.",
    "doctor": "Say what is wrong on this machine, or with the proxy in front of a server.",
}
"""By name, with the line that `wirehop --help` shows. The command of that name is in the module of that name."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(import_module(f"wirehop.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wirehop")
def cli() -> None:
    """One channel, any wire: a real-time server for Python."""


def main() -> None:
    """The entry point of the `wirehop` program."""
    sys.exit(run())


def run() -> int:
    """Run the command line; the exit code."""
    try:
        code = cli.main(prog_name="wirehop", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:  # `wirehop subscribe … | head`: nobody reads any more, also not what is still buffered
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        from wirehop.core.errors import SettingsError, WirehopError

        if not isinstance(error, WirehopError):
            raise
        click.echo(f"wirehop: {error}", err=True)
        return 2 if isinstance(error, SettingsError) else 1
    return code if isinstance(code, int) else 0
