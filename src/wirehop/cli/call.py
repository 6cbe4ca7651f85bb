"""`wirehop call ROOM`: be in a call, as one who publishes a picture and records the others."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from wirehop.cli.shared import token_option, url_option
from wirehop.client.client import Client

if TYPE_CHECKING:
    from wirehop.media import Event, Participant, Source

TEST = "test"
DEVICES = ("/dev/video", "video=")


@click.command()
@click.argument("room")
@url_option
@token_option
@click.option(
    "--publish",
    metavar="WHAT",
    default="",
    help="`test` (a clock that moves, a tone), a file, or a camera: /dev/video0.",
)
@click.option("--record", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="A file each, here.")
@click.option("--name", metavar="TEXT", default="", help="What others see.")
@click.option("--relay", is_flag=True, help="Only by TURN: hides addresses, and tries the relay.")
@click.option("--seconds", metavar="N", type=click.FloatRange(min=0), help="Leave after this time.")
def call(
    room: str,
    *,
    url: str,
    token: str,
    publish: str,
    record: Path | None,
    name: str,
    relay: bool,
    seconds: float | None,
) -> None:
    """Be in the call of ROOM (`room:demo`) until interrupted, and say who comes, goes and is received.

    With a file and without --record or --seconds it leaves when the file has ended. Needs the extra `wirehop[media]`.
    """
    from wirehop.media.errors import check_installed

    check_installed()
    asyncio.run(
        _call(room, url, token, publish, record, name=name, policy="relay" if relay else "all", seconds=seconds)
    )


async def _call(
    room: str,
    url: str,
    token: str,
    publish: str,
    record: Path | None,
    *,
    name: str,
    policy: Literal["all", "relay"],
    seconds: float | None,
) -> None:
    from wirehop.media import join

    source = _source(publish)
    stop = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C cancels, which leaves as well
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        Client(url, token=token) as client,
        join(client, room, publish=source, record=record, name=name, policy=policy, on_event=_show) as here,
    ):
        click.echo(f"in {room} as {here.me}, with {len(here.participants)} others")
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(stop.wait())]
        if publish and publish != TEST and record is None and seconds is None:
            waits.append(asyncio.ensure_future(here.published()))
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
    for feed in here.feeds:
        click.echo(f"published {feed.kind}: {feed.frames} frames, {feed.dropped} dropped")


def _source(publish: str) -> "Source | None":
    from wirehop.media import Camera, MediaFile, TestPicture

    if not publish:
        return None
    if publish == TEST:
        return TestPicture()
    return Camera(publish) if publish.startswith(DEVICES) else MediaFile(publish)


def _show(event: "Event") -> None:
    from wirehop.media import ChannelOpened, Failed, Joined, Left, StateChanged, TrackStarted

    match event:
        case Joined(participant):
            click.echo(f"{_name(participant)} is here")
        case Left(participant):
            click.echo(f"{_name(participant)} has left: {_received(participant)}")
        case StateChanged(participant, state) if state != "closed":
            click.echo(f"{_name(participant)}: {state}")
        case TrackStarted(participant, track):
            click.echo(f"{_name(participant)}: {track.name} is received")
        case ChannelOpened(participant, channel):
            click.echo(f"{_name(participant)}: channel {channel.label}")
        case Failed(participant, error):
            click.echo(f"{_name(participant) if participant else 'room'}: {error}", err=True)


def _name(participant: "Participant") -> str:
    return participant.name or participant.id


def _received(participant: "Participant") -> str:
    parts = [f"{name} {track.frames} frames" for name, track in sorted(participant.tracks.items())]
    for recording in participant.recordings.values():
        trouble = f", {recording.error}" if recording.error else ""
        parts.append(f"{recording.path} ({recording.frames} frames, {recording.dropped} dropped{trouble})")
    return "; ".join(parts) or "nothing was received"
