"""`wirehop serve [APP]`: the server. With `--dev` it opens everything on this machine, and says so."""

import importlib
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.panel import Panel

from wirehop.core.errors import SettingsError
from wirehop.hosts.native import NativeServer
from wirehop.logs import configure
from wirehop.node.node import Node
from wirehop.pages.app import demo_node, demo_settings, publish_monitor
from wirehop.serve import run_loop
from wirehop.serve import serve as serve_node
from wirehop.settings.flags import settings_options
from wirehop.settings.load import Flags, load
from wirehop.settings.tree import Settings
from wirehop.version import __version__


@click.command()
@settings_options
@click.argument("app", required=False)
def serve(flags: Flags, app: str | None) -> None:
    """Serve. APP is `module:node` (a `wirehop.Node`); without it the server stands alone."""
    settings = load(flags).settings
    configure(settings.server.log_format, settings.server.log_level)
    node = load_app(app, settings) if app else demo_node(settings) if settings.dev else Node(settings)
    background = (publish_monitor,) if settings.dev and not app else ()
    run_loop(
        serve_node(node, started=lambda server: say_hello(server, settings), background=background),
        settings.server.loop,
    )


def load_app(name: str, settings: Settings) -> Node:
    """Import `module:node`, and give the node these settings (its own namespaces stay where the settings say nothing)."""
    module_name, _, attribute = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name.removesuffix(".py"))
    except ModuleNotFoundError as error:
        raise SettingsError(f"cannot import {module_name!r}: {error}", key="app") from None
    node = getattr(module, attribute or "node", None)
    if not isinstance(node, Node):
        raise SettingsError(f"{module_name}:{attribute or 'node'} is not a wirehop.Node", key="app")
    from msgspec.structs import replace

    settings = demo_settings(settings) if settings.dev else settings
    node.use(replace(settings, namespaces={**settings.namespaces, **node.settings.namespaces}))
    return node


def say_hello(server: NativeServer, settings: Settings) -> None:
    """Print where the server is and what it opens: a banner on a terminal, one line elsewhere."""
    host = settings.server.host
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.server.certificate else "http"
    url = f"{scheme}://{shown}:{server.port}"
    console = Console()
    if not console.is_terminal:
        click.echo(f"wirehop {__version__} serving on {url}")
        return
    lines = [f"[bold]{url}[/]"]
    wires = [name for name in ("websocket", "sse", "poll", "jsonp", "channels") if getattr(settings.transports, name)]
    lines.append("wires: " + ", ".join(wires))
    if settings.dev:
        lines.append(f"demos: {url}/chat/  {url}/monitor/")
        lines.append("[yellow]development mode: anyone on this machine may subscribe, publish and read everything[/]")
    console.print(Panel("\n".join(lines), title=f"wirehop {__version__}", expand=False))
