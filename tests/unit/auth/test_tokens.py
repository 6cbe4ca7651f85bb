"""What a token says once it is believed. (What makes it unbelievable is in `tests/hardening/test_attacks…`.)"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.api_jws import PyJWS

from wirehop.auth.tokens import BadToken, Capability, Tokens, sign
from wirehop.core.errors import SettingsError
from wirehop.settings import Auth
from wirehop.testing.clock import ManualClock

SECRET, NEWER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
NOW = 1_700_000_000


def tokens(**settings: Any) -> Tokens:
    return Tokens(Auth(**{"secrets": (SECRET,), "leeway": 0, **settings}), ManualClock())


def made(secret: str = SECRET, **claims: Any) -> str:
    return sign({"sub": "ada", "exp": NOW + 60, **claims}, secret)


@pytest.mark.asyncio
async def test_a_connection_token_says_who_and_what() -> None:
    text = made(
        jti="t1",
        iat=NOW - 5,
        info={"name": "Ada"},
        channels=["news"],
        subs={"chat": {"info": {"role": "host"}, "data": [1], "allow": ["pub"], "since": NOW - 60}},
        caps=[{"channels": ["room:*"], "match": "wildcard", "allow": ["sub", "hst"]}],
        unknown={"is": "ignored"},
    )
    token = await tokens().connection(text)
    assert (token.user, token.token_id, token.issued_at, token.expires_at) == ("ada", "t1", NOW - 5, NOW + 60)
    assert bytes(token.info or b"") == b'{"name":"Ada"}'
    assert set(token.subs) == {"news", "chat"}
    assert token.subs["news"].actions == {"subscribe", "history", "presence"}
    chat = token.subs["chat"]
    assert (chat.actions, chat.since, bytes(chat.data or b"")) == ({"subscribe", "publish"}, NOW - 60, b"[1]")
    assert token.grants("publish", "chat")
    assert not token.grants("publish", "news")
    assert token.grants("history", "room:1")
    assert not token.grants("presence", "room:1")
    assert not token.grants("history", "room")


@pytest.mark.asyncio
async def test_a_subscription_token_says_where_and_what() -> None:
    text = made(channel="news", allow=["pub", "prs"], info=1, data=2, since=5.5, jti="s1")
    grant = await tokens().subscription(text, "news", "ada")
    assert grant.actions == {"subscribe", "publish", "presence"}
    assert (grant.since, grant.token_id, grant.expires_at) == (5.5, "s1", NOW + 60)
    assert (bytes(grant.info or b""), bytes(grant.data or b"")) == (b"1", b"2")


@pytest.mark.asyncio
async def test_expire_at_says_when_the_session_ends_instead_of_exp() -> None:
    assert (await tokens().connection(made(expire_at=NOW + 900))).expires_at == NOW + 900
    assert (await tokens().connection(made(expire_at=0))).expires_at == 0
    assert (await tokens(require_expiry=False).connection(made(exp=None))).expires_at == 0


@pytest.mark.asyncio
async def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    lenient = tokens(leeway=5)
    for claims in ({"exp": NOW - 4}, {"nbf": NOW + 5}, {"iat": NOW + 5}):
        assert (await lenient.connection(made(**claims))).user == "ada"
    for claims in ({"exp": NOW - 5}, {"nbf": NOW + 6}, {"iat": NOW + 6}):
        with pytest.raises(BadToken) as bad:
            await lenient.connection(made(**claims))
        assert bad.value.is_expired is ("exp" in claims)


@pytest.mark.asyncio
async def test_secrets_are_rotated_by_having_both() -> None:
    both = tokens(secrets=(NEWER, SECRET))
    assert (await both.connection(made(NEWER))).user == "ada"
    assert (await both.connection(made(SECRET))).user == "ada"
    with pytest.raises(BadToken):
        await tokens(secrets=(NEWER,)).connection(made(SECRET))


def test_short_secrets_are_refused() -> None:
    with pytest.raises(SettingsError, match="32 bytes"):
        tokens(secrets=("short",))


@pytest.mark.asyncio
async def test_line_breaks_in_claims_are_taken_out() -> None:
    import base64
    import hmac

    body = b'{"sub":"ada","exp":%d,"info":{\n"a":\r\n1}}' % (NOW + 60)
    parts = [base64.urlsafe_b64encode(each).rstrip(b"=") for each in (b'{"alg":"HS256"}', body)]
    signature = hmac.new(SECRET.encode(), b".".join(parts), "sha256").digest()
    text = b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
    assert bytes((await tokens().connection(text)).info or b"") == b'{"a":1}'


@pytest.mark.parametrize(
    ("pattern", "channel", "covers"),
    [
        ("a:*", "a:b", True), ("a:*", "a:", True), ("a:*", "ab", False), ("*", "anything", True),
        ("a*c", "abbc", True), ("a*c", "abcd", False), ("a?", "ab", False), ("a?", "a?", True), ("[ab]*", "a", False),
        ("[ab]*", "[ab]c", True), ("A*", "ab", False),
    ],
)  # fmt: skip
def test_in_a_pattern_only_the_star_is_special(pattern: str, channel: str, covers: bool) -> None:
    capability = Capability((pattern,), frozenset({"subscribe"}), is_pattern=True)
    assert capability.covers("subscribe", channel) is covers
    assert not capability.covers("publish", channel)


_CHECKED = tokens()


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,60}")))
def test_any_text_is_a_bad_token_and_nothing_worse(text: str) -> None:
    with pytest.raises(BadToken):
        _CHECKED.connection(text).send(None)
    with pytest.raises(BadToken):
        _CHECKED.subscription(text, "a", "b").send(None)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_NAMES = ["sub", "iat", "nbf", "jti", "aud", "iss", "expire_at", "info", "channels", "subs", "caps", "channel", "since"]


@given(st.dictionaries(st.sampled_from(_NAMES), _JSON))
def test_any_signed_claims_are_read_or_refused_and_nothing_worse(claims: dict[str, Any]) -> None:
    payload = json.dumps({"exp": NOW + 60, **claims}, allow_nan=False).encode()
    with pytest.raises((StopIteration, BadToken)):
        _CHECKED.connection(PyJWS().encode(payload, SECRET, algorithm="HS256")).send(None)
