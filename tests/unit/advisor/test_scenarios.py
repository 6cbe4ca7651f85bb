"""Every scenario gets its natural technique and fallback. What is expected is written down here, from what is known of
each kind of application, and not made from the code."""

from typing import NamedTuple

import pytest
from advisor_figures import EMPTY, PROFILE

from wirehop.advisor import SCENARIOS, Advice, advise
from wirehop.measured.profile import Profile, load_profile


class Expected(NamedTuple):
    """`falls_back` are steps of the chain in this order, others may be between them. `side` is beside live media."""

    title: str
    main: str
    falls_back: tuple[str, ...]
    side: str = ""
    signaling: str = ""
    topology: str = ""


EXPECTED = {
    "instant-messaging": Expected("instant messaging", "websocket", ("sse-post", "long-poll")),
    "documents": Expected("collaborative documents", "websocket", ("data-channel",)),
    "market": Expected("market data", "websocket", ("sse-post",)),
    "games": Expected("multiplayer games", "websocket", ()),
    "iot": Expected("iot", "sse", ()),
    "danmaku": Expected("danmaku", "websocket", ("sse-post",)),
    "ai": Expected("ai", "sse", ("websocket",)),
    "notifications": Expected("notifications", "sse", ()),
    "logs": Expected("logs", "sse", ()),
    "news": Expected("news", "sse", ("short-poll",)),
    "displays": Expected("monitoring displays", "sse", ()),
    "presence": Expected("collaboration status", "websocket", ()),
    "calls": Expected("calls", "media", ("turn",), "", "websocket", "mesh"),
    "assistance": Expected("assistance", "media", ("turn",), "data-channel-unreliable", "websocket", "mesh"),
    "live": Expected("live streaming", "media", ("turn",), "websocket", "websocket", "sfu"),
    "files": Expected("file transfer", "data-channel", ("turn", "websocket"), "", "websocket"),
    "data-channel-games": Expected("games over data", "data-channel-unreliable", ("websocket",), "", "websocket"),
    "cameras": Expected("iot video", "media", ("turn", "websocket"), "", "websocket", "mesh"),
}  # fmt: skip
PROFILES = {"nothing measured": EMPTY, "made for tests": PROFILE, "comes with wirehop": load_profile()}


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> Profile:
    return PROFILES[request.param]


def test_every_scenario_is_expected_here() -> None:
    assert set(SCENARIOS) == set(EXPECTED)
    assert [name for name, each in EXPECTED.items() if each.title not in SCENARIOS[name].title.lower()] == []


@pytest.mark.parametrize("name", EXPECTED)
def test_a_scenario_gets_its_natural_answer(name: str, profile: Profile) -> None:
    advice, expected = advise(SCENARIOS[name].inputs, profile), EXPECTED[name]
    assert (advice.main, advice.topology) == (expected.main, expected.topology)
    assert in_order(expected.falls_back, advice.fallbacks), advice.fallbacks
    assert (advice.side, advice.signaling) == (expected.side, expected.signaling)


def test_devices_send_over_websockets_and_the_page_reads_a_stream(profile: Profile) -> None:
    iot = SCENARIOS["iot"]
    assert advise(iot.others["devices"], profile).main == "websocket"
    assert advise(iot.inputs, profile).main == "sse"


def test_what_wirehop_does_not_have_yet_is_said(profile: Profile) -> None:
    missing = {name for name, each in SCENARIOS.items() if advise(each.inputs, profile).meanwhile}
    assert missing == {"live", "data-channel-games"}
    game = advise(SCENARIOS["data-channel-games"].inputs, profile)
    assert game.meanwhile == "WebSocket with class `latest`"
    assert "Not yet in wirehop: meanwhile WebSocket" in game.sentence


def test_who_sends_often_is_never_told_to_poll(profile: Profile) -> None:
    for name in ("games", "presence", "data-channel-games"):
        advice = advise(SCENARIOS[name].inputs, profile)
        assert {"long-poll", "short-poll", "jsonp"}.isdisjoint(names(advice)), name


@pytest.mark.parametrize(
    ("name", "input_", "main", "topology"),
    [
        ("news", "interval", "short-poll", ""),
        ("calls", "peers", "media", "sfu"),
        ("live", "viewers", "media", "sfu-tree"),
        ("data-channel-games", "loss", "websocket", ""),
        ("notifications", "direction", "websocket", ""),
        ("files", "kind", "websocket", ""),
    ],
)
def test_what_would_change_the_advice(name: str, input_: str, main: str, topology: str, profile: Profile) -> None:
    flips = advise(SCENARIOS[name].inputs, profile).flips
    assert (input_, main, topology) in {(flip.input, flip.main, flip.topology) for flip in flips}, flips


def names(advice: Advice) -> set[str]:
    return {advice.main, *advice.fallbacks}


def in_order(wanted: tuple[str, ...], chain: tuple[str, ...]) -> bool:
    rest = iter(chain)
    return all(step in rest for step in wanted)
