"""The command line: `wirehop serve`, `publish`, `subscribe`, `config`."""

from wirehop.cli.main import main

__all__ = ["main"]
