"""Pages that are in a room with the SDK, as an application would be."""

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from ..e2e.servers import until
from .calls import BLUE, RED, RIG, Report, rate

ROOM = ("--namespace", "room.rtc=true", "--namespace", "room.subscribe=anyone", "--namespace", "room.presence=true",
        "--namespace", "room.join_leave=true", "--auth-anonymous")  # fmt: skip
GOAL_FIRST_FRAME, GOAL_RATE, GOAL_RECOVERY = 3.0, 15.0, 5.0
"""What is wanted. Seconds, frames per second, seconds. A busy machine is given more; the figures are printed."""
PATIENCE = 3.0

JOIN = """async ([name, colour, options]) => {
    const {connect} = await import("/sdk/wirehop.js");
    const {joinRoom} = await import("/sdk/wirehop.rtc.js");
    window.seen = {budget: [], path: [], error: [], states: [], moved: [], room: []};
    window.screens = new Map();
    window.client = connect("/", options ?? {});
    client.on("moved", () => seen.moved.push(client.transport));
    // tracks of the page's own: a page without TLS has no getUserMedia
    const camera = rig.camera({colour}).getVideoTracks()[0], tone = rig.tone().getAudioTracks()[0];
    const began = performance.now();
    window.room = await joinRoom(client, name, {audio: tone, video: camera});
    const show = ({participant, source, stream}) => {
        if (source !== "camera") return;
        const video = screens.get(participant.id) ?? document.createElement("video");
        Object.assign(video, {muted: true, autoplay: true, playsInline: true, srcObject: stream});
        screens.set(participant.id, video);
        document.body.append(video);
    };
    room.on("track", show);
    room.on("left", participant => screens.delete(participant.id));
    room.on("budget", ({budget}) => seen.budget.push(budget));
    room.on("path", ({path}) => seen.path.push(path.words));
    room.on("state", ({state}) => seen.states.push(state));
    room.on("room", ({state}) => seen.room.push(state));
    room.on("error", ({error}) => seen.error.push(`${error.name}: ${error.message}`));
    for (const participant of room.participants.values())
        for (const track of participant.tracks.values()) show({...track, participant});
    // when the first frame of somebody else was there, since we began to join
    window.firstFrame = new Promise(done => {
        const look = () => {
            const video = [...screens.values()].find(each => each.videoWidth);
            if (video) video.requestVideoFrameCallback(() => done(performance.now() - began));
            else setTimeout(look, 20);
        };
        look();
    });
    return room.me.id;
}"""


class Guest:
    """A page in a room."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.id = ""

    def join(self, room: str, *, colour: tuple[int, int, int], **options: Any) -> None:
        """Connect, and join with a camera of this colour and a tone."""
        self.id = self.page.evaluate(JOIN, [room, list(colour), options or None])

    def first_frame(self, *, seconds: float = 30.0) -> float:
        """Wait for somebody's first frame; the seconds from the beginning of joining."""
        took = self.page.evaluate(
            "limit => Promise.race([firstFrame, new Promise(done => setTimeout(done, limit, null))])", seconds * 1000
        )
        assert took is not None, self.story()
        return float(took) / 1000

    def report(self) -> Report | None:
        """The statistics of the connection to the only other participant."""
        return self.page.evaluate(
            "(other => other?.connection ? rig.report(other.connection) : null)([...room.participants.values()][0])"
        )

    def picture(self) -> dict[str, Any] | None:
        """What is shown of the other one: latency and colour."""
        return self.page.evaluate("(video => video ? rig.read(video) : null)([...screens.values()][0])")

    def path(self) -> str | None:
        """The SDK's words for how the other one is reached."""
        return self.page.evaluate("[...room.participants.values()][0]?.path?.words ?? null")

    def state(self) -> str | None:
        """Of the connection to the other one."""
        return self.page.evaluate("[...room.participants.values()][0]?.state ?? null")

    def frames(self) -> int:
        """That were decoded of the other one's camera; 0 where there is no connection."""
        report = self.report()
        return int(report["framesDecoded"]) if report else 0

    def story(self) -> str:
        """What has happened in the page, for a failure."""
        return str(
            self.page.evaluate("[seen, client.state, client.transport, room.state, [...room.participants.keys()]]")
        )


def enter(place: Browser | BrowserContext, url: str) -> Guest:
    """A page of the server, with the rig, that is in no room yet."""
    page = place.new_page()
    page.add_init_script(path=RIG)
    page.goto(url)
    return Guest(page)


def rates(*guests: Guest, seconds: float = 2.0) -> list[float]:
    """Decoded frames per second at each."""
    before = [each.report() for each in guests]
    time.sleep(seconds)
    after = [each.report() for each in guests]
    assert all(before), [each.story() for each in guests]
    assert all(after), [each.story() for each in guests]
    return [rate(*each) for each in zip(before, after, strict=True)]


def flows(*guests: Guest, seconds: float = 30.0, frames: int = 10) -> float:
    """Wait until each has decoded some more frames than now; how long that took."""
    begin = time.monotonic()
    before = [each.frames() for each in guests]
    for guest, so_far in zip(guests, before, strict=True):
        until(lambda guest=guest, so_far=so_far: guest.frames() >= so_far + frames, seconds=seconds, what=guest.story())
    return time.monotonic() - begin


Enter = Callable[..., Guest]
"""`enter_page(browser, url)`: a page of a server, with the rig, in no room yet."""


def check_pictures(*guests: Guest) -> None:
    """Each shows the other's camera as it is now, and often enough."""
    took = [guest.first_frame() for guest in guests]
    each = rates(*guests)
    pictures = [until(guest.picture, seconds=10, what="a picture that can be read") for guest in guests]
    budgets = [guest.page.evaluate("seen.budget.map(each => each.total)") for guest in guests]
    for name, values in (
        ("first frame, s", took),
        ("frames/s", each),
        ("latency, ms", [p["latency"] for p in pictures]),
    ):
        print(f"{name}: {' and '.join(f'{value:.3g}' for value in values)}", end="; ")
    print(f"budget, ms: {budgets}")
    for picture, colour in zip(pictures, (BLUE, RED), strict=True):
        assert all(abs(is_ - should) < 60 for is_, should in zip(picture["colour"], colour, strict=True)), picture
    assert max(took) < PATIENCE * GOAL_FIRST_FRAME
    assert min(each) > GOAL_RATE / PATIENCE


def join_both(first: Guest, second: Guest, room: str, **options: object) -> None:
    first.join(room, colour=RED, **options)
    second.join(room, colour=BLUE, **options)
