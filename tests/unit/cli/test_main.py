"""The group of commands: quick, and its errors are sentences."""

import subprocess
import sys
from importlib import import_module

import click
import pytest

from wirehop.cli.main import COMMANDS, cli

HEAVY = ("asyncio", "rich", "msgspec", "prometheus_client", "websockets", "uvloop", "wirehop.node", "wirehop.settings")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from wirehop.cli.main import cli; cli.main(['--help'], standalone_mode=False); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_module_of_its_name_and_its_help_can_be_shown(name: str) -> None:
    command = getattr(import_module(f"wirehop.cli.{name}"), name)
    assert isinstance(command, click.Command)
    assert command.help
    shown = command.get_help(click.Context(command, info_name=name, parent=click.Context(cli)))
    assert "--help" in shown or "-h" in shown
