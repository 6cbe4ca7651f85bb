"""Links by name: each is a link, and the tables have theirs."""

import pytest

from wirehop.checker import faults
from wirehop.lab.presets import PRESETS, PROXIES, Conditions


def test_the_links_of_people_and_those_of_the_tables_are_there() -> None:
    assert {"office", "4g", "train", "hotel", "satellite", "company"} <= {*PRESETS}
    assert {"rtt0", "rtt20", "rtt100", "rtt300", "loss1", "loss5", "loss20"} <= {*PRESETS}
    assert len([name for name in PROXIES if name]) == 6


@pytest.mark.parametrize("name", ["rtt20", "rtt100", "rtt300"])
def test_a_round_trip_is_twice_the_delay(name: str) -> None:
    delay, handshake = PRESETS[name].link.faults()
    assert isinstance(delay, faults.Delay)
    assert 2000 * delay.seconds == int(name[3:])
    assert handshake == faults.Handshake()


@pytest.mark.parametrize("name", ["loss1", "loss5", "loss20"])
def test_lossy_links_have_a_round_trip_of_40_ms(name: str) -> None:
    assert faults.Delay(0.02) in PRESETS[name].link.faults()
    assert faults.Loss(int(name[4:]) / 100) in PRESETS[name].link.faults()


def test_nothing_in_the_way_is_nothing() -> None:
    assert PRESETS["rtt0"].link.faults() == ()


def test_a_train_has_tunnels_and_a_company_a_proxy() -> None:
    assert 0 < PRESETS["train"].link.tunnel_seconds < PRESETS["train"].link.tunnel_every
    assert faults.Inspect() in PRESETS["company"].link.faults()


def test_a_proxy_that_there_is_none_of() -> None:
    with pytest.raises(KeyError):
        Conditions(proxy="polite").faults()
