"""Calls from Python: two participants in one process, and what they see and hear of each other."""

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import av
import pytest
from aiortc import RTCPeerConnection
from msgspec import structs
from node_under_test import NAMESPACES, OPEN, Server, eventually, running

from wirehop.client import Client
from wirehop.core import codes
from wirehop.media import (
    Call,
    ChannelOpened,
    Event,
    Failed,
    Left,
    MediaFile,
    Participant,
    TestPicture,
    TrackStarted,
    join,
    read_clock,
)
from wirehop.media.errors import ChannelFull, NotInRoom, SourceFailed
from wirehop.media.picture import age_of
from wirehop.rtc.pure.ice import Relay
from wirehop.rtc.turn import TurnService
from wirehop.settings.tree import Rtc, Sessions

pytestmark = pytest.mark.asyncio
ROOM = "room:demo"
ROOMS = {**NAMESPACES, "room": structs.replace(OPEN, rtc=True), "plain": OPEN}
SECRET = "of both TURN servers"
PATIENCE = 30.0
RED, BLUE = (200, 40, 40), (40, 60, 200)
LOOPBACK = "127.0.0.1"


class Bot:
    """A client in a call, and what it was told."""

    def __init__(self, client: Client, call: Call, events: list[Event]) -> None:
        self.client = client
        self.call = call
        self.events = events

    @property
    def other(self) -> Participant:
        """The only other participant."""
        (other,) = self.call.participants.values()
        return other

    def sees(self, frames: int) -> bool:
        """Whether so many pictures of the other one have come."""
        return any("camera" in each.tracks and each.tracks["camera"].frames >= frames for each in self._others)

    def hears(self, frames: int) -> bool:
        return any("microphone" in each.tracks and each.tracks["microphone"].frames >= frames for each in self._others)

    @property
    def _others(self) -> list[Participant]:
        return list(self.call.participants.values())

    def opened(self, label: str) -> bool:
        """Whether the other side has opened a channel of that label."""
        return any(isinstance(each, ChannelOpened) and each.channel.label == label for each in self.events)

    def failures(self) -> list[str]:
        return [str(each.error) for each in self.events if isinstance(each, Failed)]


@asynccontextmanager
async def bot(server: Server, **options: Any) -> AsyncIterator[Bot]:
    events: list[Event] = []
    async with (
        Client(f"http://{LOOPBACK}:{server.port}") as client,
        join(client, ROOM, on_event=events.append, **options) as call,
    ):
        yield Bot(client, call, events)


@asynccontextmanager
async def in_a_room(
    rtc: Rtc | None = None, *, sessions: Sessions | None = None, **options: Any
) -> AsyncIterator[tuple[Server, Bot, Bot]]:
    """A server, and two who show each other a red and a blue clock."""
    async with (
        running(namespaces=ROOMS, rtc=rtc or Rtc(), sessions=sessions or Sessions()) as server,
        bot(server, publish=TestPicture(colour=RED), name="ann", **options) as ann,
        bot(server, publish=TestPicture(colour=BLUE), name="bob", **options) as bob,
    ):
        yield server, ann, bob


async def until(is_true: Callable[[], object], what: str) -> None:
    await eventually(is_true, what, timeout=PATIENCE)


async def flows(*bots: Bot) -> None:
    """Pictures and sound come, from now on."""
    for each in bots:
        await until(lambda each=each: len(each.call.participants) == 1 and each.sees(1), "a first picture")  # type: ignore[misc]
    before = [each.other.tracks["camera"].frames for each in bots]
    for each, so_far in zip(bots, before, strict=True):
        await until(
            lambda each=each, so_far=so_far: each.sees(so_far + 5) and each.hears(5), "more pictures, and sound"
        )  # type: ignore[misc]


def candidates(connection: RTCPeerConnection | None) -> set[str]:
    """The kinds of candidates in the local description."""
    assert connection is not None
    lines = connection.localDescription.sdp.splitlines()
    return {line.split(" typ ")[1].split()[0] for line in lines if line.startswith("a=candidate:")}


# ---- two of them


async def test_two_see_and_hear_each_other_and_read_the_clock() -> None:
    async with in_a_room() as (_, ann, bob):
        await flows(ann, bob)
        for each, colour in ((ann, BLUE), (bob, RED)):
            track = each.other.tracks["camera"]
            frame = track.newest
            assert isinstance(frame, av.VideoFrame)
            stamp = read_clock(frame)
            assert stamp is not None
            assert age_of(stamp, time.time()) < 5000
            middle = frame.reformat(format="rgb24")
            at = frame.height * 3 // 4 * middle.planes[0].line_size + 3 * frame.width // 2
            shown = bytes(middle.planes[0])[at : at + 3]
            assert all(abs(is_ - should) < 60 for is_, should in zip(shown, colour, strict=True)), tuple(shown)
            assert each.other.connections == 1
            assert not each.failures()
        assert (ann.other.name, bob.other.name) == ("bob", "ann")


async def test_unread_tracks_keep_few_frames_and_a_reader_gets_the_newest() -> None:
    async with in_a_room() as (_, ann, _bob):
        await until(lambda: ann.sees(30), "many pictures")
        track = ann.other.tracks["camera"]
        assert track.dropped >= track.frames - 8
        stamps = []
        async for frame in track:
            assert isinstance(frame, av.VideoFrame)
            stamps.append(read_clock(frame))
            if len(stamps) == 12:
                break
        readable = [each for each in stamps if each is not None]  # a busy machine loses a picture now and then
        assert len(readable) >= 6
        assert readable == sorted(readable)
        assert age_of(readable[-1], time.time()) < 5000


async def test_who_leaves_is_gone_at_once_and_who_comes_back_is_seen() -> None:
    async with running(namespaces=ROOMS) as server, bot(server, publish=TestPicture()) as ann:
        for _ in range(2):
            async with bot(server, publish=TestPicture()) as bob:
                await flows(ann, bob)
            await until(lambda: not ann.call.participants, "an empty room")
        assert sum(isinstance(each, Left) for each in ann.events) == 2
        assert not ann.failures()


async def test_three_are_connected_each_with_each() -> None:
    async with in_a_room() as (server, ann, bob), bot(server) as listener:
        await until(
            lambda: (
                len(listener.call.participants) == 2
                and all("camera" in each.tracks for each in listener.call.participants.values())
            ),
            "both pictures",
        )
        assert sorted(each.name for each in listener.call.participants.values()) == ["ann", "bob"]
        for each in (ann, bob):
            await until(lambda each=each: len(each.call.participants) == 2, "two others")  # type: ignore[misc]
            states = [one.state for one in each.call.participants.values()]
            assert states == ["connected", "connected"]
            (silent,) = (one for one in each.call.participants.values() if one.id == listener.call.me)
            assert not silent.tracks


# ---- restarts


async def test_a_restart_is_another_connection_of_the_same_participant_from_either_side() -> None:
    async with in_a_room() as (_, ann, bob):
        await flows(ann, bob)
        participants = ann.other, bob.other
        for number, side in enumerate((ann, bob), start=2):
            before = [each.connection for each in participants]
            side.other.restart()
            await until(
                lambda number=number: all(  # type: ignore[misc]
                    each.connections == number and each.state == "connected" for each in participants
                ),
                "another connection",
            )
            await flows(ann, bob)
            assert all(each.connection is not old for each, old in zip(participants, before, strict=True))
        assert (ann.other, bob.other) == participants
        started = [each.track.name for each in ann.events if isinstance(each, TrackStarted)]
        assert sorted(started) == ["camera", "microphone"]  # the same tracks go on


async def test_a_connection_that_breaks_is_replaced() -> None:
    async with in_a_room() as (_, ann, bob):
        await flows(ann, bob)
        connection = ann.other.connection
        assert connection is not None
        await connection.close()
        await until(lambda: ann.other.connection is not connection and ann.other.state == "connected", "a repair")
        await flows(ann, bob)


async def test_a_call_goes_on_when_its_session_takes_another_wire() -> None:
    async with in_a_room() as (server, ann, bob):
        await flows(ann, bob)
        me, connection = ann.call.me, ann.other.connection
        assert server.node.disconnect(me, codes.FORCE_RECONNECT)
        await until(lambda: not ann.client.id, "a lost wire")
        await until(lambda: ann.client.id, "another wire")
        await flows(ann, bob)
        ann.other.restart()  # what is negotiated now goes by the new wire
        await until(lambda: ann.other.connection is not connection and ann.other.state == "connected", "a connection")
        await flows(ann, bob)
        assert (ann.call.me, bob.other.id) == (me, me)


async def test_a_session_that_begins_anew_is_another_participant() -> None:
    async with in_a_room(sessions=Sessions(window=0.0)) as (server, ann, bob):
        await flows(ann, bob)
        me, seen = ann.call.me, bob.other
        assert server.node.disconnect(me, codes.FORCE_RECONNECT)
        await until(lambda: ann.call.me not in ("", me), "another session")
        await until(lambda: len(bob.call.participants) == 1 and bob.other is not seen, "another participant")
        await flows(ann, bob)
        assert bob.other.id == ann.call.me
        assert seen.state == "closed"


# ---- recordings and files


async def test_a_recording_decodes_and_can_be_published_again(tmp_path: Path) -> None:
    async with running(namespaces=ROOMS) as server:
        async with bot(server, publish=TestPicture(), name="ann"), bot(server, record=tmp_path) as listener:
            await until(lambda: any(each.frames >= 120 for each in listener.call.recordings), "two seconds of it")
            (recording,) = listener.call.recordings
        assert recording.path == tmp_path / "ann.webm"
        assert not recording.error
        stamps, sound = decoded(recording.path)
        assert len(stamps) >= 20
        assert stamps == sorted(stamps)
        assert sound > 1.0
        async with bot(server) as viewer, bot(server, publish=MediaFile(recording.path)) as player:
            await until(lambda: viewer.sees(10) and viewer.hears(15), "the file's picture and sound")
            shown = viewer.other.tracks["camera"].newest
            assert isinstance(shown, av.VideoFrame)
            assert (shown.width, shown.height) == (640, 360)
            assert read_clock(shown) in range(min(stamps), max(stamps) + 1)
            await asyncio.wait_for(player.call.published(), PATIENCE)
            assert not player.failures()


def decoded(path: Path) -> tuple[list[int], float]:
    """The clocks in a recording's pictures, and how many seconds of sound it has."""
    stamps, samples = [], 0
    with av.open(str(path)) as container:
        for frame in container.decode():
            if isinstance(frame, av.VideoFrame):
                stamps.append(read_clock(frame))
            elif isinstance(frame, av.AudioFrame):
                samples += frame.samples
    return [each for each in stamps if each is not None], samples / 48_000


async def test_what_cannot_be_opened_is_named_and_nobody_is_in_the_room(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("no picture")
    async with running(namespaces=ROOMS) as server, Client(f"http://{LOOPBACK}:{server.port}") as client:
        for name in ("missing.mp4", "words.txt"):
            with pytest.raises(SourceFailed, match=name):
                async with join(client, ROOM, publish=MediaFile(tmp_path / name)):
                    pass
        async with join(client, ROOM):  # and it can be joined after that
            assert list(await client.presence(ROOM)) == [client.id]


# ---- data channels


async def test_data_channels_carry_both_ways_and_outlive_a_restart() -> None:
    async with in_a_room() as (_, ann, bob):
        await flows(ann, bob)
        ours = ann.other.channel("notes")
        await ours.send("first")
        await until(lambda: bob.opened("notes"), "the channel")
        theirs = bob.other.channel("notes")
        heard, answers = aiter(theirs), aiter(ours)
        assert await asyncio.wait_for(anext(heard), PATIENCE) == "first"
        await theirs.send(b"\0\1")
        assert await asyncio.wait_for(anext(answers), PATIENCE) == b"\0\1"
        with pytest.raises(ChannelFull):
            await ours.send(b"x" * 65_537)
        ann.other.restart()
        await until(lambda: ann.other.connections == 2 and ann.other.state == "connected", "another connection")
        sent = [str(number) for number in range(200)]
        for each in sent:
            await asyncio.wait_for(ours.send(each), PATIENCE)
        assert [await asyncio.wait_for(anext(heard), PATIENCE) for _ in sent] == sent
        unreliable = ann.other.channel("state", is_reliable=False, is_ordered=False)
        await asyncio.wait_for(unreliable.send("now"), PATIENCE)
        await until(lambda: bob.opened("state"), "the channel")
        assert not bob.other.channel("state").is_reliable


# ---- relays alone


def free_port() -> int:
    with socket.socket() as each:
        each.bind((LOOPBACK, 0))
        return int(each.getsockname()[1])


async def test_by_relay_only_through_the_embedded_server() -> None:
    rtc = Rtc(turn="embedded", secret=SECRET, allow_peers=(f"{LOOPBACK}/32",))
    service = TurnService(rtc, host=LOOPBACK)
    await service.start(0)
    try:
        async with running(namespaces=ROOMS, rtc=rtc) as server:
            server.node.rooms.embedded, server.node.rooms.secret = Relay((LOOPBACK,), service.port), SECRET
            async with (
                bot(server, publish=TestPicture(), policy="relay") as ann,
                bot(server, publish=TestPicture(), policy="relay") as bob,
            ):
                await flows(ann, bob)
                assert candidates(ann.other.connection) == candidates(bob.other.connection) == {"relay"}
                assert not ann.failures()
    finally:
        service.close()


async def test_by_relay_only_through_coturn_with_the_same_credentials() -> None:
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("no coturn")
    port = free_port()
    async with AsyncExitStack() as stack:
        command = [
            program, "-n", "--log-file=stdout", "--no-cli", "--no-dtls", "--no-tls", f"--listening-port={port}",
            f"--listening-ip={LOOPBACK}", f"--relay-ip={LOOPBACK}", "--allow-loopback-peers", "--realm=wirehop",
            "--use-auth-secret", f"--static-auth-secret={SECRET}", "--pidfile=",
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.push_async_callback(process.wait)
        stack.callback(process.terminate)
        await until(lambda: process.returncode is not None or is_open(port), "coturn")
        assert process.returncode is None
        rtc = Rtc(turn=f"coturn://{LOOPBACK}:{port}", secret=SECRET)
        _, ann, bob = await stack.enter_async_context(in_a_room(rtc, policy="relay"))
        await flows(ann, bob)
        assert candidates(ann.other.connection) == candidates(bob.other.connection) == {"relay"}
        assert not bob.failures()


def is_open(port: int) -> bool:
    with socket.socket() as each:
        return each.connect_ex((LOOPBACK, port)) == 0


# ---- what is refused


async def test_a_channel_that_is_no_room_cannot_be_joined() -> None:
    async with running(namespaces=ROOMS) as server, Client(f"http://{LOOPBACK}:{server.port}") as client:
        with pytest.raises(NotInRoom):
            async with join(client, "plain:demo"):
                pass
        async with join(client, ROOM):
            with pytest.raises(NotInRoom) as caught:
                async with join(client, ROOM):
                    pass
            assert caught.value.code == 105


# ---- the command


async def test_the_command_publishes_records_and_leaves_when_it_is_told_to(tmp_path: Path) -> None:
    async with running(namespaces=ROOMS) as server, bot(server, publish=TestPicture(), name="ann") as ann:
        program = Path(sys.executable).with_name("wirehop")
        command = [
            program,
            "call",
            ROOM,
            "--url",
            f"http://{LOOPBACK}:{server.port}",
            "--publish",
            "test",
            "--name",
            "bob",
        ]
        process = await asyncio.create_subprocess_exec(
            *command, "--record", tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            await until(lambda: len(ann.call.participants) == 1 and ann.sees(20) and ann.hears(20), "its picture")
            assert ann.other.name == "bob"
        finally:
            process.terminate()
            out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        await until(lambda: not ann.call.participants, "a goodbye")
    text = out.decode()
    assert process.returncode == 0, text
    assert " is here" in text
    assert "ann: camera is received" in text
    assert "published video:" in text
    stamps, _ = decoded(tmp_path / "ann.webm")
    assert stamps
