"""`wirehop serve [APP]`: the server. With `--dev` it opens everything on this machine, and says so."""

import errno
import sys

import click

from wirehop.cli.app import load_app
from wirehop.core.errors import SettingsError
from wirehop.doctor.ports import holder
from wirehop.hosts.native import NativeServer
from wirehop.logs import configure
from wirehop.node.node import Node
from wirehop.pages.app import demo_node, publish_monitor
from wirehop.running import run_loop
from wirehop.running import serve as serve_node
from wirehop.settings.flags import settings_options
from wirehop.settings.load import Flags, load
from wirehop.settings.tree import Settings
from wirehop.version import __version__

WIRES = ("websocket", "sse", "stream", "poll", "jsonp", "channels")
"""As the settings of `transports` call them."""
DEV = "development mode: anyone on this machine may subscribe, publish and read everything"


@click.command()
@settings_options
@click.argument("app", required=False)
def serve(flags: Flags, app: str | None) -> None:
    """Serve. APP is `module:node` (a `wirehop.Node`); without it the server stands alone."""
    loaded = load(flags)
    settings = loaded.settings
    configure(settings.server.log_format, settings.server.log_level)
    node = load_app(app, loaded) if app else demo_node(settings) if settings.dev else Node(settings)
    settings = node.settings
    configure(settings.server.log_format, settings.server.log_level)  # again: an application may say it in its code
    background = (publish_monitor,) if settings.dev and not app else ()
    work = serve_node(node, started=lambda server: say_hello(server, settings), background=background)
    try:
        run_loop(work, settings.server.loop)
    except SettingsError as error:
        if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EADDRINUSE:
            raise
        who = holder(settings.server.port)
        by = f" by {who}" if who else ""
        raise SettingsError(f"{error}{by}; --port 0 takes a free one", key=error.key) from None


def offers(url: str, settings: Settings) -> list[str]:
    """What is there, a line each: the wires, and the pages with their addresses."""
    lines = ["wires: " + ", ".join(name for name in WIRES if getattr(settings.transports, name))]
    if settings.dev:
        lines.append(f"demos: {url}/chat/  {url}/monitor/")
    if settings.dev or settings.admin.password:
        lines.append(f"admin: {url}/admin/")
    return lines


def say_hello(server: NativeServer, settings: Settings) -> None:
    """Print where the server is and what it opens: a banner on a terminal, a line or two elsewhere."""
    host = settings.server.host
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.server.certificate else "http"
    url = f"{scheme}://{shown}:{server.port}"
    if not sys.stdout.isatty():
        click.echo(f"wirehop {__version__} serving on {url}")
        if settings.dev:
            click.echo(DEV)
        return
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    lines = [Text(url, style="bold"), *map(Text, offers(url, settings))]
    if settings.dev:
        lines.append(Text(DEV, style="yellow"))
    Console().print(Panel(Text("\n").join(lines), title=f"wirehop {__version__}", expand=False))
