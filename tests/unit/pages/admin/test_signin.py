"""Signing in: tokens that end, wrong guesses that are slowed down, passes that give every right."""

import pytest

from wirehop.pages.admin.signin import ALL_GUESSES, GUESS_SECONDS, GUESSES, MOST_SIGN_INS, SignIns
from wirehop.testing.clock import ManualClock

PASSWORD = "open sesame"
SECONDS = 3600.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sign_ins(clock: ManualClock) -> SignIns:
    return SignIns(PASSWORD, clock, seconds=SECONDS)


def enter(sign_ins: SignIns) -> tuple[str, str]:
    """The tokens of the cookie and of the pass."""
    signed_in = sign_ins.sign_in(PASSWORD, "192.0.2.1")
    assert signed_in is not None
    return signed_in[0], signed_in[1].pass_token


def test_the_right_password_gives_a_cookie_that_ends(sign_ins: SignIns, clock: ManualClock) -> None:
    cookie, _ = enter(sign_ins)
    assert sign_ins.find(cookie) is not None
    assert sign_ins.find(cookie[:-1]) is sign_ins.find("") is None
    clock.advance(SECONDS)
    assert sign_ins.find(cookie) is None


def test_the_pass_ends_with_the_cookie(sign_ins: SignIns, clock: ManualClock) -> None:
    cookie, token = enter(sign_ins)
    clock.advance(600)
    assert sign_ins.vouch(token, "client") == SECONDS - 600
    assert sign_ins.vouch(token + "x", "client") is sign_ins.vouch(cookie, "client") is None
    assert sign_ins.sign_out(cookie) == ["client"]
    assert sign_ins.vouch(token, "client") is sign_ins.find(cookie) is None
    assert sign_ins.sign_out(cookie) == []
    _, token = enter(sign_ins)
    clock.advance(SECONDS)
    assert sign_ins.vouch(token, "client") is None


def test_without_a_password_everybody_is_in_but_a_pass_is_needed(clock: ManualClock) -> None:
    sign_ins = SignIns("", clock, seconds=SECONDS)
    sign_in = sign_ins.find("")
    assert sign_ins.is_open
    assert sign_in is not None
    assert sign_ins.vouch(sign_in.pass_token, "client") == 0
    assert sign_ins.vouch("wh-admin.other", "client") is None


def test_wrong_guesses_of_one_address_wait_and_others_do_not(sign_ins: SignIns, clock: ManualClock) -> None:
    for _ in range(GUESSES):
        assert sign_ins.wait_of("192.0.2.1") == 0
        assert sign_ins.sign_in("wrong", "192.0.2.1") is None
        clock.advance(1)
    assert sign_ins.wait_of("192.0.2.1") == GUESS_SECONDS - GUESSES
    assert sign_ins.wait_of("192.0.2.2") == 0
    clock.advance(GUESS_SECONDS)
    assert sign_ins.wait_of("192.0.2.1") == 0


def test_guesses_from_one_network_of_ipv6_count_as_one(sign_ins: SignIns) -> None:
    for number in range(GUESSES):
        sign_ins.sign_in("wrong", f"2001:db8::{number}")
    assert sign_ins.wait_of("2001:db8::ffff") > 0
    assert sign_ins.wait_of("2001:db8:0:1::1") == 0


def test_guesses_from_everywhere_wait_too(sign_ins: SignIns) -> None:
    for number in range(ALL_GUESSES):
        sign_ins.sign_in("wrong", f"10.0.{number}.1")
    assert sign_ins.wait_of("192.0.2.9") > 0


def test_sign_ins_are_so_many(sign_ins: SignIns) -> None:
    cookies = [enter(sign_ins)[0] for _ in range(MOST_SIGN_INS + 1)]
    assert sign_ins.find(cookies[0]) is None
    assert sign_ins.find(cookies[1]) is sign_ins.find(cookies[1]) is not None
