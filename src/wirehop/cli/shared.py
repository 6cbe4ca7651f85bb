"""Options that several commands have."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

DEFAULT_URL: Final = "http://127.0.0.1:8000"
Function = TypeVar("Function", bound=Callable[..., Any])


def url_option(command: Function) -> Function:
    """Where the server is."""
    return click.option("--url", default=DEFAULT_URL, show_default=True, help="Where the server is.")(command)


def token_option(command: Function) -> Function:
    """Who asks."""
    return click.option("--token", metavar="TEXT", default="", help="Token to connect with.")(command)
