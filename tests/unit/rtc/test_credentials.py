"""Time-limited credentials: what they look like, and whom they are of."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirehop.rtc.pure.credentials import USERNAME_BYTES, credential, expiry_of, password_of, user_of


def test_a_credential_is_expiry_and_user_signed_with_the_secret() -> None:
    made = credential("north", "anna", now=1_000.5, age=600)
    assert made.username == "1600:anna"
    assert made.expires == expiry_of(made.username) == 1600
    assert user_of(made.username) == "anna"
    assert base64.b64decode(made.password) == hmac.new(b"north", b"1600:anna", hashlib.sha1).digest()
    assert made.password != password_of("south", made.username)


def test_a_known_password() -> None:
    # echo -n 1400000000:ninefingers | openssl dgst -sha1 -hmac north -binary | base64
    assert password_of("north", "1400000000:ninefingers") == "m0JAr78TVvFzkTg+y/t548y3m8w="


@pytest.mark.parametrize(
    "username", ["", "12", "12:", ":anna", "anna:12", "-1:anna", "1.5:anna", "12 :a", "1" * 16 + ":a"]
)
def test_what_is_no_time_limited_username_has_no_expiry(username: str) -> None:
    assert expiry_of(username) is None


@given(st.text(max_size=400))
def test_every_user_has_a_username_that_can_travel_and_stays_the_same(user: str) -> None:
    made = credential("north", user, now=5, age=5)
    assert len(made.username.encode()) <= USERNAME_BYTES
    assert made.username.isascii()
    assert made.username == credential("north", user, now=5, age=5).username
    assert expiry_of(made.username) == 10
    assert user_of(made.username)
