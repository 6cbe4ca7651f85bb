"""What a room in a browser does about itself: a new session, a direct way that dies, devices, and pre-flight."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..e2e.servers import Server, until
from .browsers import Browsers
from .netns import ADDRESS, Namespace
from .rooms import ROOM, Enter, Guest, check_pictures, flows, join_both
from .sites import serving

PORT = 8100
TURN = ("--rtc-turn", "embedded", "--rtc-address", ADDRESS, "--rtc-allow-peers", "192.0.2.0/24",
        "--rtc-relay-ports", "49152-49251")  # fmt: skip
WAIT = 30_000


@pytest.fixture(scope="module")
def server(namespace: Namespace, files: Path) -> Iterator[Server]:
    """With a TURN server that may relay within the namespace."""
    with serving(namespace, PORT, "--host", "0.0.0.0", *ROOM, *TURN, log=files / "repairs.log") as each:
        yield each


@pytest.fixture
def firewall(namespace: Namespace) -> Iterator[Namespace]:
    """The namespace, whose filter rules are gone afterwards."""
    yield namespace
    namespace.run("iptables", "-w", "-F", "INPUT")


def rule(namespace: Namespace, *words: str) -> None:
    """What is done with UDP that comes in."""
    namespace.run("iptables", "-w", "-A", "INPUT", "-p", "udp", *words)


def two(enter_page: Enter, browsers: Browsers, namespace: Namespace, kinds: str, url: str) -> tuple[Guest, Guest]:
    places = [browsers.firefox() if kind == "firefox" else browsers.chromium_in(namespace) for kind in kinds.split()]
    first, second = (enter_page(place, url) for place in places)
    return first, second


def test_after_a_restart_of_the_server_everybody_is_back(
    browsers: Browsers, namespace: Namespace, files: Path, enter_page: Enter
) -> None:
    with serving(namespace, PORT + 1, *ROOM, log=files / "rejoin.log") as server:
        one, other = two(enter_page, browsers, namespace, "chromium firefox", server.url)
        join_both(one, other, "room:again")
        check_pictures(one, other)
        server.kill()
        with namespace.entered():
            server.start()
        for guest in (one, other):
            guest.page.wait_for_function("old => room.me.id !== old", arg=guest.id, timeout=WAIT)
        ids = [guest.page.evaluate("room.me.id") for guest in (one, other)]
        for guest, there in ((one, ids[1]), (other, ids[0])):
            guest.page.wait_for_function(
                "id => room.participants.size === 1 && room.participants.get(id)?.state === 'connected'",
                arg=there,
                timeout=WAIT,
            )
        flows(one, other)


@pytest.mark.parametrize("kinds", ["chromium chromium", "chromium firefox"])
def test_a_direct_way_that_dies_is_replaced_by_a_relay(
    kinds: str, browsers: Browsers, firewall: Namespace, server: Server, enter_page: Enter
) -> None:
    one, other = two(enter_page, browsers, firewall, kinds, server.url)
    join_both(one, other, f"room:dies-{kinds}".replace(" ", "-"))
    check_pictures(one, other)
    until(lambda: one.path() == "direct", seconds=30, what=one.story())
    for way in ("--dport", "--sport"):  # all UDP that is not to or from the relay
        rule(firewall, way, "49152:49251", "-j", "ACCEPT")
    rule(firewall, "-j", "DROP")
    for guest in (one, other):
        until(lambda guest=guest: guest.path() == "through TURN over TCP", seconds=60, what=guest.story())
    flows(one, other)
    repairs = [guest.page.evaluate("[...room.participants.values()][0].repairs") for guest in (one, other)]
    print(f"{kinds}: {repairs}")


def test_what_fails_is_begun_anew_through_relays_alone(
    browsers: Browsers, firewall: Namespace, files: Path, enter_page: Enter
) -> None:
    arguments = ("--host", "0.0.0.0", *ROOM, *TURN, "--no-rtc-tcp")  # nothing but UDP: restarts find no other way
    with serving(firewall, PORT + 2, *arguments, log=files / "failed.log") as server:
        one, other = two(enter_page, browsers, firewall, "chromium chromium", server.url)
        join_both(one, other, "room:fails")
        check_pictures(one, other)
        old = "window.old = [...room.participants.values()][0].connection"
        for guest in (one, other):
            guest.page.evaluate(f"() => {{ {old} }}")
        rule(firewall, "-j", "DROP")
        repairs = "[...room.participants.values()][0].repairs"
        begun = [guest.page.evaluate_handle("performance.now()") for guest in (one, other)]
        one.page.wait_for_function(f"{repairs}.renewals > 0", timeout=90_000)
        seconds = one.page.evaluate("begun => (performance.now() - begun) / 1000", begun[0])
        firewall.run("iptables", "-w", "-F", "INPUT")
        for way in ("--dport", "--sport"):  # the relay alone: a direct way would be found by another connection
            rule(firewall, way, "49152:49251", "-j", "ACCEPT")
            rule(firewall, way, str(PORT + 2), "-j", "ACCEPT")
        rule(firewall, "-j", "DROP")
        for guest in (one, other):
            until(lambda guest=guest: guest.path() == "through TURN over UDP", seconds=90, what=guest.story())
        flows(one, other)
        policies = [
            guest.page.evaluate("[...room.participants.values()][0].connection.getConfiguration().iceTransportPolicy")
            for guest in (one, other)
        ]
        print(f"anew after {seconds:.1f} s, {[guest.page.evaluate(repairs) for guest in (one, other)]}, {policies}")
        assert "relay" in policies
        assert one.page.evaluate("[...room.participants.values()][0].connection !== old")
        assert one.page.evaluate("old.connectionState") == "closed"


@pytest.mark.parametrize("kind", ["chromium", "firefox"])
def test_an_ice_restart_is_no_new_connection(
    kind: str, browsers: Browsers, namespace: Namespace, server: Server, enter_page: Enter
) -> None:
    """Whichever of Chromium and Firefox begins: a DTLS role that changed would end the connection."""
    one, other = two(enter_page, browsers, namespace, "chromium firefox", server.url)
    join_both(one, other, f"room:restart-{kind}")
    check_pictures(one, other)
    page = (one if kind == "chromium" else other).page
    page.evaluate("window.before = [...room.participants.values()][0].connection")
    fragment = "/a=ice-ufrag:(.*)/.exec(before.currentRemoteDescription.sdp)[1]"
    old = page.evaluate(fragment)
    page.evaluate("[...room.participants.values()][0].restart()")
    page.wait_for_function(
        f"old => {fragment} !== old && before.iceConnectionState !== 'checking'", arg=old, timeout=WAIT
    )
    flows(one, other)
    assert page.evaluate("[...room.participants.values()][0].connection === before"), one.story() + other.story()
    assert not page.evaluate("seen.error"), one.story()


DEVICES = """async () => {
    // `true` would leave the page's own tracks on
    await room.local.setMicrophone({echoCancellation: true});
    await room.local.setCamera({width: 320});
    window.camera = room.local.track("camera");
    window.told = [];
    room.local.on("changed", ({source, state, byUser}) => told.push([source, state, byUser]));
    return [camera.readyState, room.local.track("microphone").readyState, await room.local.devices()];
}"""
PACKETS = """async () => {
    let packets = 0;
    const {connection} = [...room.participants.values()][0];
    (await connection.getStats()).forEach(row => {
        if (row.type === "outbound-rtp" && row.kind === "audio") packets += row.packetsSent;
    });
    return packets;
}"""
MUTED = f"""async () => {{
    const packets = {PACKETS};
    await room.local.setMicrophone(false);
    const began = performance.now();
    let before = -1, silent = began;
    // the last time at which a packet was sent, until there was none for a second
    for (;;) {{
        const now = await packets();
        if (now !== before) [before, silent] = [now, performance.now()];
        if (performance.now() - silent > 1000) return silent - began;
        if (performance.now() - began > 20000) return null;
        await new Promise(done => setTimeout(done, 50));
    }}
}}"""


@pytest.mark.parametrize("kinds", ["chromium chromium", "firefox chromium"])
def test_devices_are_muted_freed_and_given_back(
    kinds: str, browsers: Browsers, namespace: Namespace, server: Server, enter_page: Enter
) -> None:
    one, other = two(enter_page, browsers, namespace, kinds, server.url)
    join_both(one, other, f"room:devices-{kinds}".replace(" ", "-"))
    check_pictures(one, other)
    camera, microphone, devices = one.page.evaluate(DEVICES)
    assert (camera, microphone) == ("live", "live")
    assert devices["cameras"]
    assert devices["microphones"]
    flows(one, other)
    theirs = "[...room.participants.values()][0].tracks"
    silent = one.page.evaluate(MUTED)
    print(f"{kinds}: the last packet of the microphone {silent:.0f} ms after it was muted")
    assert silent < 2000
    other.page.wait_for_function(f"{theirs}.get('microphone')?.muted === true", timeout=WAIT)
    assert one.page.evaluate("room.local.track('microphone').readyState") == "live"
    before = one.page.evaluate(PACKETS)
    one.page.evaluate("room.local.setMicrophone(true)")
    other.page.wait_for_function(f"{theirs}.get('microphone')?.muted === false", timeout=WAIT)
    until(lambda: one.page.evaluate(PACKETS) > before, seconds=30, what="packets of the microphone again")
    one.page.evaluate("room.local.setCamera(false)")
    assert one.page.evaluate("camera.readyState") == "ended"
    other.page.wait_for_function(f"!{theirs}.has('camera')", timeout=WAIT)
    one.page.evaluate("room.local.setCamera(true)")
    other.page.wait_for_function(f"{theirs}.has('camera')", timeout=WAIT)
    flows(other)
    one.page.evaluate("room.leave()")
    other.page.wait_for_function("room.participants.size === 0", timeout=WAIT)
    assert one.page.evaluate("rig.connections.every(each => each.connectionState === 'closed')")
    assert one.page.evaluate("[room.local.track('camera'), room.local.track('microphone')]") == [None, None]


def test_a_shared_screen_that_the_browser_s_own_button_ends(
    browsers: Browsers, namespace: Namespace, server: Server, enter_page: Enter
) -> None:
    one, other = two(enter_page, browsers, namespace, "chromium firefox", server.url)
    join_both(one, other, "room:screen")
    check_pictures(one, other)
    theirs = "[...room.participants.values()][0].tracks"
    for guest, there in ((one, other), (other, one)):
        guest.page.evaluate(
            "own => room.local.shareScreen(own ? {video: rig.camera().getVideoTracks()[0]} : {audio: true})",
            guest is other,  # a headless Firefox has no screen
        )
        there.page.wait_for_function(f"{theirs}.has('screen')", timeout=WAIT)
        there.page.evaluate(f"""() => {{
            window.screen_ = document.createElement("video");
            Object.assign(screen_, {{muted: true, autoplay: true, srcObject: {theirs}.get("screen").stream}});
        }}""")
        there.page.wait_for_function("screen_.videoWidth > 0", timeout=WAIT)
        # what the button does to the page; an event that is made up does not arrive at Firefox's track of a canvas
        ended = "room.local.track('screen').dispatchEvent(new Event('ended'))"
        guest.page.evaluate("room.local.stopScreen()" if guest is other else ended)
        assert guest.page.evaluate("room.local.state('screen')") == "off"
        there.page.wait_for_function(f"!{theirs}.has('screen')", timeout=WAIT)
    flows(one, other)


PREFLIGHT = """async name => {
    const {connect} = await import("/sdk/wirehop.js");
    const {preflight} = await import("/sdk/wirehop.rtc.js");
    const client = connect("/");
    const {ok, steps} = await preflight(client, name);
    client.close();
    return [ok, Object.fromEntries(steps.map(step => [step.name, step]))];
}"""


@pytest.mark.parametrize("kind", ["chromium", "firefox"])
def test_preflight_says_what_works_and_why_the_rest_does_not(
    kind: str, browsers: Browsers, firewall: Namespace, server: Server, enter_page: Enter
) -> None:
    place = browsers.firefox() if kind == "firefox" else browsers.chromium_in(firewall)
    page = enter_page(place, server.url).page

    def results() -> tuple[bool, dict[str, Any]]:
        is_ok, steps = page.evaluate(PREFLIGHT, "room:preflight")
        return is_ok, steps

    is_ok, steps = results()
    found = {name: step["result"] for name, step in steps.items()}
    assert is_ok, steps
    expected = {
        "ice-servers": "ok",
        "stun-udp": "ok",
        "turn-udp": "ok",
        "turn-tcp": "ok",
        "turn-tls": "skipped",
        "relay": "ok",
    }
    assert found == expected, steps
    assert "certificate" in steps["turn-tls"]["advice"]
    rule(firewall, "--dport", str(PORT), "-j", "DROP")
    is_ok, steps = results()
    found = {name: step["result"] for name, step in steps.items()}
    assert found == {**expected, "stun-udp": "failed", "turn-udp": "failed"}, steps
    assert is_ok
    assert steps["turn-udp"]["reason"]
    assert "firewall" in steps["turn-udp"]["advice"]
    is_ok, steps = page.evaluate(PREFLIGHT, "private:nobody")
    assert not is_ok
    assert steps["ice-servers"]["result"] == "failed", steps
