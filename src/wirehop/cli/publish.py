"""`wirehop publish CHANNEL DATA`: one POST per publication, and the position that each got."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from wirehop.cli.payload import bodies
from wirehop.cli.shared import token_option, url_option
from wirehop.client.address import channel_path, read_address
from wirehop.client.errors import RequestFailed
from wirehop.client.http import HttpClient
from wirehop.client.wire import read_refusal


class _Position(Struct):
    offset: int = 0
    epoch: str = ""


@click.command()
@click.argument("channel")
@click.argument("data", required=False)
@url_option
@token_option
@click.option("--event", metavar="NAME", default="", help="Event name, for event streams.")
@click.option("--key", metavar="TEXT", default="", help="Idempotency key: the same key again publishes nothing new.")
@click.option("--text", "is_text", is_flag=True, help="DATA is text, even where it could be read as JSON.")
@click.option(
    "--binary",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Publish the bytes of a file instead of DATA.",
)
@click.option("--lines", "by_line", is_flag=True, help="With DATA `-`: each line of the input is a publication.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line.")
def publish(
    channel: str,
    data: str | None,
    *,
    url: str,
    token: str,
    event: str,
    key: str,
    is_text: bool,
    binary: Path | None,
    by_line: bool,
    as_json: bool,
) -> None:
    """Publish DATA to CHANNEL; `-` reads it from the standard input. What can be read as JSON is JSON, all else is
    text.

    Prints the position of each publication: give it to `wirehop subscribe --since` to go on from there.
    """
    if by_line and key:
        raise click.UsageError("--key with --lines would publish the first line only")
    if is_text and binary is not None:
        raise click.UsageError("--text and --binary contradict each other")
    found = bodies(data, is_text=is_text, binary=binary, by_line=by_line)
    asyncio.run(_publish(channel, found, url=url, token=token, event=event, key=key, as_json=as_json))


async def _publish(
    channel: str, found: Iterator[tuple[bytes, str]], *, url: str, token: str, event: str, key: str, as_json: bool
) -> None:
    http = HttpClient(read_address(url), token=token)
    named = [("Event-Name", event)] if event else []
    named += [("Idempotency-Key", key)] if key else []
    try:
        for body, content_type in found:
            headers = [("Content-Type", content_type), *named]
            response = await http.request("POST", channel_path(channel), headers=headers, body=body)
            if response.status != 201:
                raise RequestFailed(read_refusal(response.status, response.body))
            _show(channel, msgspec.json.decode(response.body, type=_Position), as_json=as_json)
    finally:
        await http.close()


def _show(channel: str, position: _Position, *, as_json: bool) -> None:
    cursor = f"{position.epoch}:{position.offset}" if position.offset else ""
    if as_json:
        shown = {"channel": channel, "offset": position.offset, "epoch": position.epoch, "cursor": cursor}
        click.echo(msgspec.json.encode(shown))
    else:
        click.echo(cursor or "published (this channel keeps no positions)")
