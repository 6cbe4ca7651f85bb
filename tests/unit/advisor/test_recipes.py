"""The settings to copy are settings: the loader takes every file, and it says what the advice says."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from advisor_figures import PROFILE
from hypothesis import given
from test_properties import answers, examples

from wirehop.advisor import SCENARIOS, Advice, Inputs, advise
from wirehop.advisor.programs import wires_of
from wirehop.settings.load import load
from wirehop.settings.tree import Settings
from wirehop.testing.full import cases

SECRET = {"WIREHOP_AUTH__SECRETS": "a secret of 32 bytes or more made for tests"}


def loaded(advice: Advice) -> Settings:
    """The file, read as `wirehop serve` reads it."""
    with TemporaryDirectory() as place:
        (Path(place) / "wirehop.toml").write_text(advice.settings, encoding="utf-8")
        environ = SECRET if advice.facts.login != "none" else {}
        return load(environ=environ, directory=Path(place)).settings


@examples(cases([30], [600])[0])
@given(answers())
def test_every_file_can_be_loaded(inputs: Inputs) -> None:
    advice = advise(inputs, PROFILE)
    if advice.main:
        assert loaded(advice).namespaces.keys() > {""}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenarios_channel_is_what_it_asks_for(name: str) -> None:
    advice = advise(SCENARIOS[name].inputs, PROFILE)
    facts, tree = advice.facts, loaded(advice)
    (namespace,) = (tree.namespaces[key] for key in tree.namespaces if key)
    if facts.loss == "none":
        assert namespace.delivery == "log"
        assert namespace.history_size >= min(10_000, facts.down * 300)
        assert tree.limits.recovery_publications >= min(10_000, facts.down * 300)
    if facts.loss == "latest":
        assert namespace.delivery == "latest"
    assert namespace.rtc == (
        (advice.signaling != "" and name != "data-channel-games") or "data-channel" in advice.fallbacks
    )
    assert not namespace.rtc or (namespace.presence and tree.rtc.turn == "embedded")
    assert namespace.subscribe == ("anyone" if facts.login == "none" else "signed-in")
    assert (namespace.publish == "nobody") == (facts.direction == "down" and facts.media == "none")


def test_what_is_asked_shows_in_the_file() -> None:
    advice = advise(
        Inputs(
            other_origin="no-cors",
            background=True,
            battery=True,
            payload=100_000,
            login="cookie",
            direction="down",
            up=0,
        ),
        PROFILE,
    )
    tree = loaded(advice)
    assert advice.main == "jsonp"
    assert tree.transports.jsonp
    assert tree.origins.allowed == ("https://www.example.org",)
    assert tree.heartbeat.interval == 45
    assert tree.sessions.window == 600
    assert tree.auth.cookie == "token"
    assert next(iter(each for name, each in tree.namespaces.items() if name)).publication_bytes == 131_072


def test_the_sdk_tries_the_wires_in_the_order_of_the_chain() -> None:
    chat = advise(SCENARIOS["instant-messaging"].inputs, PROFILE)
    assert wires_of(chat) == ("websocket", "sse", "long-poll")
    assert 'wires: ["websocket", "sse", "long-poll"]' in chat.page
    assert wires_of(advise(SCENARIOS["news"].inputs, PROFILE)) == ("sse", "short-poll")


def test_old_browsers_get_the_old_sdk() -> None:
    page = advise(Inputs(direction="both", browsers=2009), PROFILE).page
    assert "wirehop.old.js" in page
    assert "=>" not in page
