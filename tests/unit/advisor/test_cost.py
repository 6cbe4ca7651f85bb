"""Costs are coefficients times answers; what was not measured is nothing, and named."""

import msgspec
import pytest
from advisor_figures import EMPTY, PROFILE

from wirehop.advisor import Inputs, Prices
from wirehop.advisor.case import Case
from wirehop.advisor.cost import bytes_per_minute, cost_of, requests_per_second
from wirehop.advisor.facts import complete
from wirehop.measured.profile import Figure, Profile


def case(profile: Profile = PROFILE, **answers: object) -> Case:
    return Case(complete(Inputs(**answers))[0], profile)  # type: ignore[arg-type]


def test_bytes_between_measured_sizes_are_on_a_straight_line() -> None:
    figures = {"bytes/sse/down/20": 60, "bytes/sse/down/200": 240, "bytes/sse/down/2000": 4040}
    profile = Profile(figures={name: Figure(value, "B") for name, value in figures.items()})
    expected = {20: 60, 110: 150, 200: 240, 1100: 2140, 2000: 4040, 4000: pytest.approx(8262, abs=1), 5: 45}
    for payload, total in expected.items():
        assert case(profile, payload=payload).message_bytes("sse", "down") == total, payload
    assert case(profile).message_bytes("websocket", "down") is None


def test_a_poll_brings_one_message_or_several_or_none() -> None:
    slow = case(down=1 / 60, direction="down", payload=200)
    assert requests_per_second(slow, "long-poll") == pytest.approx(1 / 55)
    assert bytes_per_minute(slow, "long-poll") == pytest.approx(1050 + (60 / 55 - 1) * 850)
    quick = case(down=2.0, direction="down", payload=200, interval=10.0)
    assert requests_per_second(quick, "short-poll") == pytest.approx(0.1)
    assert bytes_per_minute(quick, "short-poll") == pytest.approx(60 * (2 * 200 + 0.1 * 850))
    assert requests_per_second(case(down=500.0, direction="down"), "long-poll") == 20


def test_a_stream_sends_by_requests_over_a_second_connection() -> None:
    chat = case(down=1.0, up=0.5, direction="both", users=100)
    cost = cost_of(chat, "sse-post")
    assert cost.value("requests") == 50
    assert cost.value("sockets") == 200
    assert (
        cost_of(case(down=1.0, up=0.5, direction="both", users=100, front=("http2",)), "sse-post").value("sockets")
        == 100
    )
    assert cost_of(chat, "websocket").value("requests") == 0


def test_numbers_are_as_their_formulas_say() -> None:
    cost = cost_of(case(down=10.0, direction="down", payload=200, users=2000), "websocket", hours=2)
    minute = 60 * 10 * 254 + 144 * 20 / 60
    assert cost.value("gigabytes") == pytest.approx(2000 * minute * 60 * 2 * 30 / 1e9)
    assert cost.value("memory") == pytest.approx(2000 * 3044 / 1e9)
    assert cost.value("cores") == pytest.approx(2000 * 10 * 6.1 / 1e6)
    assert cost.items["cores"].worked == "2,000 × 10 × 6.1 ÷ 10⁶"


def test_money_is_of_the_prices_that_are_given() -> None:
    asked = case(down=10.0, direction="down", users=2000)
    assert cost_of(asked, "websocket").value("money") is None
    cost = cost_of(asked, "websocket", prices=Prices(gigabyte=0.05, core=20))
    gigabytes, cores = cost.value("gigabytes"), cost.value("cores")
    assert gigabytes is not None
    assert cores is not None
    assert cost.value("money") == pytest.approx(gigabytes * 0.05 + cores * 20)
    assert cost_of(asked, "jsonp", prices=Prices(core=20)).items["money"].missing == ("cores",)


def test_what_was_not_measured_is_named_and_not_guessed() -> None:
    cost = cost_of(case(EMPTY, users=10), "websocket", prices=Prices(gigabyte=1))
    assert {name for name, item in cost.items.items() if item.value is None} == {
        "gigabytes",
        "memory",
        "cores",
        "money",
    }
    assert cost.items["memory"].missing == ("memory/websocket",)
    assert msgspec.json.encode(cost)


def test_pictures_and_silence_are_not_for_nothing() -> None:
    call = case(media="video", peers=3, down=0.0, up=0.0, direction="both")
    assert bytes_per_minute(call, "media") is None
    assert bytes_per_minute(call, "data-channel") is None
    assert bytes_per_minute(call, "websocket") == pytest.approx(144 * 20 / 60)
