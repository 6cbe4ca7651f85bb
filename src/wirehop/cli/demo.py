"""`wirehop demo`: the gallery of demos, in the browser of this machine."""

import webbrowser

import click

from wirehop.cli.serve import serve_demos
from wirehop.logs import configure
from wirehop.settings.flags import settings_options
from wirehop.settings.load import Flags, load
from wirehop.settings.values import Given


@click.command()
@settings_options
@click.option("--browser/--no-browser", default=True, help="Open the page (or only say where it is).")
def demo(flags: Flags, *, browser: bool) -> None:
    """Serve the demos in development mode, and open them in the browser."""
    settings = load(Flags({**flags.values, "dev": Given(value=True, origin="wirehop demo")}, flags.config)).settings
    configure(settings.server.log_format, settings.server.log_level)
    serve_demos(settings, _show if browser else None)


def _show(url: str) -> None:
    if not webbrowser.open(url):
        click.echo(f"no browser was found; the demos are at {url}", err=True)
