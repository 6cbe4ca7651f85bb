"""A participant in Python and one in a browser: an independent peer for the SDK, and the other way round."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from wirehop.media import read_clock

from ..e2e.servers import Server, until
from .browsers import Browsers
from .calls import RED
from .netns import Namespace
from .rooms import ROOM, Enter, Guest, flows
from .sites import serving

PORT = 8010
WIREHOP = str(Path(sys.executable).with_name("wirehop"))
STOP_SECONDS = 20.0


@pytest.fixture(scope="module")
def server(namespace: Namespace, files: Path) -> Iterator[Server]:
    """In the namespace of browsers and driver, on each of its addresses."""
    with serving(namespace, PORT, "--host", "0.0.0.0", *ROOM, log=files / "bot.log") as each:
        yield each


class Bot:
    """`wirehop call`, and what it prints."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.append(line)  # at once: the test looks

    def said(self, words: str) -> int:
        """How many lines have these words."""
        return sum(words in line for line in list(self.lines))

    def stop(self) -> int:
        """Ask it to leave; its exit code."""
        self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
        self._reader.join(STOP_SECONDS)
        return code


@contextlib.contextmanager
def calling(namespace: Namespace, server: Server, room: str, *options: str) -> Iterator[Bot]:
    """A bot in the room, in the browsers' namespace."""
    command = [WIREHOP, "call", room, "--url", server.url, "--name", "bot", *options]
    process = namespace.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    bot = Bot(process)
    try:
        yield bot
    finally:
        if process.poll() is None:
            bot.stop()


def check_bot(guest: Guest, bot: Bot) -> None:
    """The page shows the bot's picture as it is now."""
    guest.first_frame()
    flows(guest)
    picture = until(guest.picture, seconds=30, what="a picture that can be read")
    assert 0 <= picture["latency"] < 10_000, picture
    assert all(abs(is_ - should) < 60 for is_, should in zip(picture["colour"], (40, 90, 160), strict=True)), picture
    until(lambda: guest.state() == "connected", seconds=30, what=guest.story())
    report = guest.report()
    assert report
    assert report["audioPackets"] > 0
    print(f"picture {picture}, {report['framesDecoded']} frames, path {guest.path()}")


def test_a_bot_and_chromium_see_each_other(
    browsers: Browsers, namespace: Namespace, server: Server, enter_page: Enter, tmp_path: Path
) -> None:
    guest = enter_page(browsers.chromium_in(namespace), server.url)
    with calling(namespace, server, "room:bot", "--publish", "test", "--record", str(tmp_path)) as bot:
        until(lambda: bot.said("in room:bot as"), seconds=30, what="the bot in the room")
        guest.join("room:bot", colour=RED)
        check_bot(guest, bot)
        until(lambda: bot.said("camera is received"), seconds=30, what="".join(bot.lines))
        assert guest.page.evaluate("[...room.participants.values()][0].name") == "bot"
        assert guest.page.evaluate("[...[...room.participants.values()][0].tracks.keys()].sort()") == [
            "camera",
            "microphone",
        ]
        # a restart towards it is another connection of the same participant
        guest.page.evaluate("window.before = [...room.participants.values()][0].connection")
        guest.page.evaluate("[...room.participants.values()][0].restart()")
        guest.page.wait_for_function(
            """() => { const [other] = room.participants.values();
                       return other && other.connection !== before && other.state === "connected"; }""",
            timeout=30_000,
        )
        check_bot(guest, bot)
        assert bot.said("is here") == 1
        guest.page.evaluate("room.leave()")
        until(lambda: bot.said("has left"), seconds=30, what="".join(bot.lines))
        assert bot.stop() == 0, "".join(bot.lines)
    (file,) = tmp_path.iterdir()
    with av.open(str(file)) as container:
        clocks = [read_clock(frame) for frame in container.decode(video=0)]
    print(f"recorded {len(clocks)} pictures, {sum(each is not None for each in clocks)} clocks")
    assert sum(each is not None for each in clocks) > 5
    assert not guest.page.evaluate("seen.error"), guest.story()


def test_who_is_there_first_does_not_matter(
    browsers: Browsers, namespace: Namespace, server: Server, enter_page: Enter
) -> None:
    guest = enter_page(browsers.chromium_in(namespace), server.url)
    guest.join("room:second", colour=RED)
    with calling(namespace, server, "room:second", "--publish", "test") as bot:
        check_bot(guest, bot)
        until(lambda: bot.said("camera is received"), seconds=30, what="".join(bot.lines))
        assert bot.stop() == 0, "".join(bot.lines)
    guest.page.wait_for_function("room.participants.size === 0", timeout=30_000)
    assert not guest.page.evaluate("seen.error"), guest.story()
