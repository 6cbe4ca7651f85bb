"""Answers as people type them."""

import pytest

from wirehop.advisor.facts import QUESTIONS, InputError, Inputs, complete, inputs_of
from wirehop.advisor.reading import read_answer
from wirehop.core.codes import BAD_REQUEST


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("down", "20/s", 20.0),
        ("down", "30/min", 0.5),
        ("up", "2", 2.0),
        ("up", "12/h", pytest.approx(1 / 300)),
        ("payload", "300", 300),
        ("payload", "64KiB", 65_536),
        ("latency", "150", 150.0),
        ("latency", "2s", 2000.0),
        ("interval", "5m", 300.0),
        ("users", "10k", 10_000),
        ("fanout", "1.5m", 1_500_000),
        ("browsers", "2020+", 2020),
        ("networks", "mobile,open", ("mobile", "open")),
        ("networks", "udp-blocked", ("udp-blocked",)),
        ("front", "none", ()),
        ("resume", "yes", True),
        ("resume", "No", False),
        ("loss", "latest", "latest"),
        ("loss", "?", None),
        ("users", "", None),
        ("kind", "don't know", None),
    ],
)
def test_an_answer_is_read(name: str, text: str, answer: object) -> None:
    assert read_answer(QUESTIONS[name], text) == answer


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("down", "fast", "down is 'fast'; such as 20/s, 30/min"),
        ("loss", "some", "loss is 'some'; one of none, latest, any, or ? for don't know"),
        ("networks", "open,wifi", "networks is 'wifi'"),
        ("resume", "maybe", "resume is 'maybe'; yes, no"),
        ("payload", "3 bananas", "payload is '3 bananas'; such as 300, 64KiB"),
        ("browsers", "IE", "browsers is 'IE'; such as 2020+"),
    ],
)
def test_what_is_no_answer_is_an_error_with_the_questions_name(name: str, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_answer(QUESTIONS[name], text)
    assert said in str(caught.value)
    assert (caught.value.name, caught.value.code) == (name, BAD_REQUEST)


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        (Inputs(payload=0), "payload"),
        (Inputs(down=-1.0), "down"),
        (Inputs(browsers=1990), "browsers"),
        (Inputs(without=("pigeons",)), "without"),
        (Inputs(latency=0.0), "latency"),
    ],
)
def test_what_is_out_of_range_is_an_error(inputs: Inputs, name: str) -> None:
    with pytest.raises(InputError) as caught:
        complete(inputs)
    assert caught.value.name == name


def test_json_is_checked_by_name() -> None:
    assert inputs_of({"down": 2, "loss": "any"}) == Inputs(down=2.0, loss="any")
    for data, name in (({"loss": "some"}, "loss"), ({"speed": 3}, "inputs"), ({"down": "fast"}, "down")):
        with pytest.raises(InputError) as caught:
            inputs_of(data)
        assert caught.value.name == name, data


def test_what_is_assumed_is_said() -> None:
    facts, assumed = complete(Inputs(down=5, loss="latest", interval=30.0))
    assert {"down", "loss", "interval"}.isdisjoint(assumed)
    assert {"up", "order", "latency"} <= set(assumed)
    assert (facts.direction, facts.order, facts.latency) == ("down", False, 30_000)
