"""The answer's parts: confidence, reasons, words, and JSON as the committed schema says."""

import json
from pathlib import Path
from typing import Any

import msgspec
from advisor_figures import EMPTY, PROFILE, figures

import wirehop.advisor
from wirehop.advisor import SCENARIOS, Inputs, advise
from wirehop.advisor.choice import RULES
from wirehop.advisor.words import text_of
from wirehop.measured.profile import Figure, Profile
from wirehop.testing.full import cases

SCHEMA = json.loads((Path(wirehop.advisor.__file__).parent / "schema.json").read_text(encoding="utf-8"))


def test_confidence_is_of_the_margin() -> None:
    chat = SCENARIOS["instant-messaging"].inputs
    assert advise(chat, PROFILE).confidence == "high"
    assert advise(chat, EMPTY).confidence == "low"
    assert advise(SCENARIOS["calls"].inputs, EMPTY).confidence == "high"
    assert (
        advise(msgspec.structs.replace(chat, other_origin="no-cors", without=("jsonp",)), PROFILE).confidence == "none"
    )


def test_a_figure_decides_between_what_rules_leave() -> None:
    """Bytes to a client, no WebSocket: of streams and polls the one that is measured to be quick."""
    asked = Inputs(direction="down", kind="binary", interval=60, without=("websocket",))
    figures_of_polls = {**figures(), "latency/stream/rtt20/p99": 90_000.0, "latency/stream/loss1/p99": 90_000.0}
    slow = Profile(figures={name: Figure(value, "") for name, value in figures_of_polls.items()})
    before = {each.name: each.score for each in advise(asked, PROFILE).ranked}
    after = {each.name: each.score for each in advise(asked, slow).ranked}
    assert after["stream"] < before["stream"]
    assert after["long-poll"] == before["long-poll"]


def test_what_was_not_measured_is_said() -> None:
    advice = advise(SCENARIOS["instant-messaging"].inputs, EMPTY)
    assert advice.notes == ("not measured for any of them: latency, bytes, first, cpu, memory, lines",)
    assert (advice.p99, advice.bytes_per_minute) == (None, None)
    measured = advise(SCENARIOS["instant-messaging"].inputs, PROFILE)
    assert measured.p99 == 90
    assert measured.bytes_per_minute is not None
    assert measured.notes == ()


def test_every_rule_has_its_own_id_and_says_where_it_is_from() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert {f"H{number}" for number in range(1, 15)} | {f"S{number}" for number in range(1, 10)} <= set(ids)
    assert [rule.id for rule in RULES if not (rule.source and rule.condition and rule.effect)] == []


def test_every_rule_has_a_case() -> None:
    """Some inputs make it speak: no rule is dead."""
    asked = [scenario.inputs for scenario in SCENARIOS.values()]
    asked += [
        Inputs(secrecy=True, peers=2, networks=("udp-blocked",), hosting="serverless", without=("jsonp",)),
        Inputs(login="header", tabs=12, other_origin="no-cors", browsers=2026, interval=60, down=0.01),
        Inputs(front=("http2", "cdn"), networks=("company-proxy",), peers=40),
    ]
    heard = {rule.id for inputs in asked for rule in advise(inputs, PROFILE).rules}
    assert {rule.id for rule in RULES} == heard


def test_the_text_has_everything() -> None:
    text = text_of(advise(SCENARIOS["data-channel-games"].inputs, PROFILE))
    assert text.startswith("WebRTC data channel, unordered, without retransmission, falling back to WebSocket")
    for part in (
        "confidence",
        "Why\n",
        "Out\n",
        "Would change if\n",
        "Cost\n",
        "--- wirehop.toml",
        "--- app.py",
        "--- page",
    ):
        assert part in text
    assert "--- app.py" not in text_of(advise(SCENARIOS["ai"].inputs, PROFILE), recipes=False)
    assert text_of(advise(Inputs(other_origin="no-cors", without=("jsonp",)), EMPTY)).startswith(
        "Nothing is left: rules "
    )


def test_json_is_as_the_schema_says() -> None:
    for scenario in map(SCENARIOS.get, cases(["market", "live", "files"], list(SCENARIOS))):
        assert scenario is not None
        check(json.loads(msgspec.json.encode(advise(scenario.inputs, PROFILE))), SCHEMA)


def check(value: Any, schema: dict[str, Any]) -> None:
    """The part of JSON Schema that ours uses."""
    if "$ref" in schema:
        check(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    elif "anyOf" in schema:
        assert any(fits(value, each) for each in schema["anyOf"]), value
    elif "enum" in schema:
        assert value in schema["enum"]
    elif schema.get("type") == "object":
        names = schema.get("properties", {})
        assert set(schema.get("required", ())) <= set(value)
        for name, each in value.items():
            assert name in names or "additionalProperties" in schema, name
            check(each, names.get(name) or schema["additionalProperties"])
    elif schema.get("type") == "array":
        for each in value:
            check(each, schema["items"])
    else:
        types = {"string": str, "number": (int, float), "integer": int, "boolean": bool, "null": type(None)}
        assert isinstance(value, types[schema["type"]]), (value, schema)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    try:
        check(value, schema)
    except AssertionError:
        return False
    return True
