"""An application's settings, commented."""

import pytest
from advisor_figures import PROFILE
from msgspec import structs

from wirehop.advisor import Inputs
from wirehop.advisor.declared import Declared, comment_on
from wirehop.advisor.words import text_of_declared
from wirehop.settings.tree import Auth, Heartbeat, Limits, Namespace, Origins, Rtc, Sessions, Settings, Transports

OPEN = Namespace(subscribe="signed-in", publish="signed-in")


def comments(settings: Settings, **answers: object) -> dict[str, str]:
    """Verdicts by what they are about."""
    declared = comment_on(settings, Inputs(**answers), PROFILE)  # type: ignore[arg-type]
    found = [*declared.server, *(each for channel in declared.channels for each in channel.comments)]
    return {each.about: each.verdict for each in found}


def one(**options: object) -> Settings:
    return Settings(namespaces={"": Namespace(), "thing": structs.replace(OPEN, **options)})


def test_what_is_well_is_left_alone() -> None:
    assert comments(one(), users=100, fanout=20, down=1.0) == {}


@pytest.mark.parametrize(
    ("options", "answers", "about", "verdict"),
    [
        ({"delivery": "signal"}, {"resume": True}, "namespaces.thing.delivery", "warn"),
        ({"delivery": "log"}, {"loss": "latest"}, "namespaces.thing.delivery", "warn"),
        ({"history_size": 50}, {"down": 5.0}, "namespaces.thing.history_size", "warn"),
        ({"history_size": 5000}, {}, "limits.recovery_publications", "hint"),
        ({"presence": True}, {"fanout": 10_000}, "namespaces.thing.presence", "warn"),
        ({"join_leave": True}, {"fanout": 2000}, "namespaces.thing.join_leave", "warn"),
        ({"rtc": True}, {}, "namespaces.thing.rtc", "warn"),
        ({"rtc": True, "presence": True}, {}, "rtc.turn", "warn"),
        ({"publish": "anyone"}, {}, "namespaces.thing.publish", "hint"),
        ({"publication_bytes": 1_000_000}, {}, "limits.message_bytes", "hint"),
    ],
)
def test_what_stands_out_in_a_namespace(
    options: dict[str, object], answers: dict[str, object], about: str, verdict: str
) -> None:
    assert about not in comments(one())
    assert comments(one(**options), **answers)[about] == verdict


@pytest.mark.parametrize(
    ("section", "answers", "about"),
    [
        ({"transports": Transports(jsonp=True)}, {}, "transports.jsonp"),
        ({"transports": Transports(poll=False)}, {}, "transports.poll"),
        ({"transports": Transports(websocket=False, sse=False, stream=False)}, {}, "transports"),
        ({"limits": Limits(poll_wait=2.0)}, {}, "limits.poll_wait"),
        ({"heartbeat": Heartbeat(interval=10.0)}, {"battery": True}, "heartbeat.interval"),
        ({"sessions": Sessions(window=0.0)}, {"resume": True}, "sessions.window"),
        ({"origins": Origins(allowed=("*",)), "auth": Auth(cookie="token")}, {}, "origins.allowed"),
    ],
)
def test_what_stands_out_in_the_server(section: dict[str, object], answers: dict[str, object], about: str) -> None:
    assert about in comments(structs.replace(one(), **section), **answers)


def test_jsonp_is_right_for_who_needs_it() -> None:
    settings = structs.replace(one(), transports=Transports(jsonp=True))
    assert "transports.jsonp" not in comments(settings, other_origin="no-cors")
    assert "transports.jsonp" not in comments(settings, browsers=2009)


def test_a_name_of_what_is_stale_at_once_is_noticed() -> None:
    settings = Settings(namespaces={"cursors": OPEN, "room": OPEN})
    assert comments(settings) == {"namespaces.cursors.delivery": "hint"}


def test_each_namespace_gets_advice_for_what_it_is() -> None:
    settings = Settings(
        namespaces={
            "": Namespace(),
            "news": structs.replace(OPEN, publish="nobody"),
            "chat": OPEN,
            "room": structs.replace(OPEN, rtc=True, presence=True),
        },
        rtc=Rtc(turn="embedded"),
    )
    declared = comment_on(settings, Inputs(), PROFILE)
    assert {each.namespace: each.advice.main for each in declared.channels} == {
        "news": "sse",
        "chat": "websocket",
        "room": "media",
    }
    text = text_of_declared(declared)
    assert "namespace news\n  Server-Sent Events, falling back to" in text


def test_a_closed_node_has_nothing_to_comment_on() -> None:
    declared = comment_on(Settings(), Inputs(), PROFILE)
    assert [each.namespace for each in declared.channels] == ["default"]
    assert text_of_declared(Declared((), ())) == "nothing is declared\n"
