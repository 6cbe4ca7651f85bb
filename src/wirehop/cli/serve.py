"""`wirehop serve [APP]`: the server. With `--dev` it opens everything on this machine, and says so."""

import errno
import sys
from collections.abc import Callable

import click

from wirehop.cli.app import load_app
from wirehop.core.errors import SettingsError
from wirehop.doctor.ports import holder
from wirehop.hosts.native import NativeServer
from wirehop.logs import configure
from wirehop.node.node import Node
from wirehop.pages.app import DemoApp
from wirehop.running import Background, run_loop
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
    if settings.dev and not app:
        serve_demos(settings)
        return
    node = load_app(app, loaded) if app else Node(settings)
    settings = node.settings
    configure(settings.server.log_format, settings.server.log_level)  # again: an application may say it in its code
    start(node, settings, lambda server: say_hello(server, settings))


def serve_demos(settings: Settings, opened: Callable[[str], None] | None = None) -> None:
    """The demos. `opened` is told the address when the port is open."""
    from wirehop.lab.lab import install_lab, lab_settings  # with the tables and the advisor: only where it is used

    demos = DemoApp(lab_settings(settings))
    lab = install_lab(demos.node)

    def started(server: NativeServer) -> None:
        say_hello(server, demos.node.settings)
        demos.tools.url = lab.url = address(server, settings, is_local=True)
        if opened is not None:
            opened(demos.tools.url)

    start(demos.node, settings, started, (demos.run, lab.run))


def start(
    node: Node, settings: Settings, started: Callable[[NativeServer], None], background: tuple[Background, ...] = ()
) -> None:
    """Serve it until the process is told to stop. Raises `SettingsError`, which names who has the port."""
    work = serve_node(node, started=started, background=background)
    try:
        run_loop(work, settings.server.loop)
    except SettingsError as error:
        if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EADDRINUSE:
            raise
        who = holder(settings.server.port)
        by = f" by {who}" if who else ""
        raise SettingsError(f"{error}{by}; --port 0 takes a free one", key=error.key) from None


def address(server: NativeServer, settings: Settings, *, is_local: bool = False) -> str:
    """Where the server is; `is_local`: for who is on the same machine, where it listens on every address."""
    host = settings.server.host
    if is_local:
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to leave it
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.server.certificate else "http"
    return f"{scheme}://{shown}:{server.port}"


def offers(url: str, settings: Settings) -> list[str]:
    """What is there, a line each: the wires, and the pages with their addresses."""
    lines = ["wires: " + ", ".join(name for name in WIRES if getattr(settings.transports, name))]
    if settings.dev:
        lines += [f"demos: {url}/", f"lab: {url}/lab/"]
    if settings.dev or settings.admin.password:
        lines.append(f"admin: {url}/admin/")
    return lines


def say_hello(server: NativeServer, settings: Settings) -> None:
    """Print where the server is and what it opens: a banner on a terminal, a line or two elsewhere."""
    url = address(server, settings)
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
