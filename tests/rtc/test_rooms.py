"""Rooms in browsers: picture and sound both ways, whatever happens to the wire that carries the signals."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..e2e.servers import ForeignSite, Server, until
from .browsers import Browsers
from .calls import RED
from .link import Link
from .netns import Namespace
from .rooms import GOAL_FIRST_FRAME, GOAL_RECOVERY, PATIENCE, ROOM, Enter, check_pictures, flows, join_both
from .sites import serving

PORT = 8000


@pytest.fixture(scope="module")
def server(namespace: Namespace, files: Path) -> Iterator[Server]:
    """In the namespace of browsers and driver, on each of its addresses."""
    with serving(namespace, PORT, "--host", "0.0.0.0", *ROOM, log=files / "rooms.log") as each:
        yield each


def test_two_chromiums(browsers: Browsers, namespace: Namespace, server: Server, enter_page: Enter) -> None:
    place = browsers.chromium_in(namespace)
    guests = enter_page(place, server.url), enter_page(place, server.url)
    join_both(*guests, "room:two")
    check_pictures(*guests)
    for guest in guests:
        report = guest.report()
        assert report
        assert report["dtls"] == "connected"
        assert report["cipher"]
        until(lambda guest=guest: guest.path() == "direct", seconds=30, what=guest.story())
        assert not guest.page.evaluate("seen.error"), guest.story()


@pytest.mark.parametrize("first", ["chromium", "firefox"])
def test_chromium_and_firefox(
    first: str, browsers: Browsers, namespace: Namespace, server: Server, enter_page: Enter
) -> None:
    places = [browsers.chromium_in(namespace), browsers.firefox()]
    if first == "firefox":
        places.reverse()
    one, other = (enter_page(place, server.url) for place in places)
    join_both(one, other, f"room:{first}-first")
    check_pictures(one, other)


RECEIVE = """() => {
    window.came = {bytes: 0, next: 0, ordered: true};
    [...room.participants.values()][0].channel("file").on("message", data => {
        came.bytes += data.byteLength;
        came.ordered &&= new DataView(data).getUint32(0) === came.next++;
    });
}"""
SEND = """async ([count, size]) => {
    const channel = [...room.participants.values()][0].channel("file");
    let most = 0;
    for (let number = 0; number < count; number++) {
        const data = new ArrayBuffer(size);
        new DataView(data).setUint32(0, number);
        await channel.send(data);
        most = Math.max(most, channel.buffered);
    }
    return most;
}"""
WATCH_GAPS = """() => {
    const video = [...screens.values()][0];
    window.longest = 0;
    let last = performance.now();
    const seen = now => {
        longest = Math.max(longest, now - last);
        last = now;
        video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
}"""


def test_signals_move_from_wire_to_wire_and_media_go_on(
    browsers: Browsers, namespace: Namespace, server: Server, enter_page: Enter
) -> None:
    place = browsers.chromium_in(namespace)
    one, other = enter_page(place, server.url), enter_page(place, server.url)
    join_both(one, other, "room:moving", wires=["websocket", "sse", "long-poll"])
    check_pictures(one, other)
    one.page.evaluate(WATCH_GAPS)
    other.page.evaluate(WATCH_GAPS)
    for wire in ("sse", "long-poll"):
        for guest in (one, other):
            guest.page.evaluate("wire => { client.move(wire); }", wire)
        # in the middle of the move something is to be negotiated, and after it again: a camera goes off, and on
        one.page.evaluate("room.local.setCamera(false)")
        other.page.wait_for_function("![...room.participants.values()][0].tracks.has('camera')", timeout=30_000)
        for guest in (one, other):
            guest.page.wait_for_function("wire => client.transport === wire", arg=wire, timeout=30_000)
        one.page.evaluate("room.local.setCamera(rig.camera({colour: [200, 40, 40]}).getVideoTracks()[0])")
        other.page.wait_for_function("[...room.participants.values()][0].tracks.has('camera')", timeout=30_000)
        flows(one, other)
    # nobody had switched off what `one` sees
    gap = one.page.evaluate("longest")
    print(f"longest time without a frame {gap:.0f} ms")
    assert gap < 3000
    for guest in (one, other):
        assert guest.page.evaluate("[...room.participants.values()][0].repairs") == {"restarts": 0, "renewals": 0}
        assert guest.page.evaluate("seen.moved") == ["sse", "long-poll"]
        assert not guest.page.evaluate("seen.error"), guest.story()


def test_a_reloaded_page_is_back_in_the_call(
    browsers: Browsers, namespace: Namespace, server: Server, enter_page: Enter
) -> None:
    place = browsers.chromium_in(namespace)
    one, other = enter_page(place, server.url), enter_page(place, server.url)
    join_both(one, other, "room:reloaded")
    check_pictures(one, other)
    old = one.id
    one.page.reload()
    one.join("room:reloaded", colour=RED)
    took = one.first_frame()
    other.page.wait_for_function("old => !room.participants.has(old)", arg=old, timeout=30_000)
    flows(one, other)
    print(f"first frame {took:.1f} s after the join that followed the reload")
    assert took < PATIENCE * GOAL_FIRST_FRAME


def test_a_data_channel_carries_more_than_it_can_hold_at_once(
    browsers: Browsers, namespace: Namespace, server: Server, enter_page: Enter
) -> None:
    place = browsers.chromium_in(namespace)
    one, other = enter_page(place, server.url), enter_page(place, server.url)
    join_both(one, other, "room:data")
    check_pictures(one, other)
    other.page.evaluate(RECEIVE)
    most = one.page.evaluate(SEND, [400, 50_000])
    other.page.wait_for_function("came.bytes === 400 * 50_000", timeout=60_000)
    assert other.page.evaluate("came.ordered")
    print(f"20 MB, at most {most / 1e6:.1f} MB waited in the sender")
    assert most < 8e6


def test_a_cut_link_heals(
    browsers: Browsers, namespace: Namespace, far: Namespace, link: Link, server: Server, enter_page: Enter
) -> None:
    near_guest = enter_page(browsers.chromium_in(namespace), server.url)
    far_guest = enter_page(browsers.chromium_in(far), f"http://10.77.0.1:{PORT}")
    join_both(near_guest, far_guest, "room:cut")
    check_pictures(near_guest, far_guest)
    ids = [near_guest.id, far_guest.id]
    link.set(down=True)
    time.sleep(5)
    before = [near_guest.frames(), far_guest.frames()]
    link.set(down=False)
    begin = time.monotonic()
    for guest, so_far in zip((near_guest, far_guest), before, strict=True):
        until(lambda guest=guest, so_far=so_far: guest.frames() > so_far + 5, seconds=30, what=guest.story())
    took = time.monotonic() - begin
    repairs = [g.page.evaluate("[...room.participants.values()][0].repairs") for g in (near_guest, far_guest)]
    print(f"pictures again {took:.1f} s after the link, {repairs}")
    assert took < GOAL_RECOVERY * PATIENCE
    for guest in (near_guest, far_guest):
        until(lambda guest=guest: guest.state() == "connected", seconds=30, what=guest.story())
    assert [guest.page.evaluate("room.me.id") for guest in (near_guest, far_guest)] == ids


TRY = """async ([base, room]) => {
    const {connect} = await import(`${base}/sdk/wirehop.js`);
    const {joinRoom} = await import(`${base}/sdk/wirehop.rtc.js`);
    const client = connect(base);
    const joined = joinRoom(client, room).then(room => [...room.participants.values()].length, error => error.name);
    const late = new Promise(done => setTimeout(done, 4000, "not joined"));
    const what = await Promise.race([joined, late]);
    client.close();
    return what;
}"""


@pytest.mark.parametrize("is_allowed", [True, False], ids=["allowed", "refused"])
def test_pages_of_another_origin(
    is_allowed: bool, browsers: Browsers, namespace: Namespace, files: Path, enter_page: Enter
) -> None:
    with namespace.entered():
        foreign = ForeignSite()
    options = ("--origins-allowed", foreign.origin) if is_allowed else ()
    with foreign, serving(namespace, PORT + 1, *ROOM, *options, log=files / f"origin-{is_allowed}.log") as server:
        place = browsers.chromium_in(namespace)
        own, other = enter_page(place, server.url), enter_page(place, foreign.origin)
        own.join("room:origins", colour=RED)
        expected = 1 if is_allowed else "not joined"
        assert other.page.evaluate(TRY, [server.url, "room:origins"]) == expected
