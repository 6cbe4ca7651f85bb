"""`wirehop token`: what it makes is good, and what it says of a token is so."""

import json
import re
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wirehop.cli.token import token
from wirehop.core.errors import SettingsError

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WIREHOP_AUTH__SECRETS", SECRET)


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(token, arguments, standalone_mode=False, **options)


def made(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exception is None, result.output
    return result.stdout.strip()


def claims_of(text: str) -> dict[str, Any]:
    payload = text.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def test_a_connection_token_says_who_and_for_how_long() -> None:
    claims = claims_of(made("--user", "ada", "--ttl", "2h", "--info", '{"name":"Ada"}', "--subscribe", "news"))
    assert claims["sub"] == "ada"
    assert claims["exp"] - claims["iat"] == 7200
    assert abs(claims["iat"] - time.time()) < 10
    assert claims["info"] == {"name": "Ada"}
    assert claims["channels"] == ["news"]
    assert len(claims["jti"]) >= 16
    assert claims_of(made("--id", "mine"))["jti"] == "mine"


def test_a_subscription_token_says_where_and_what() -> None:
    claims = claims_of(made("--user", "ada", "--channel", "news", "--allow", "pub,hst"))
    assert (claims["channel"], claims["allow"]) == ("news", ["pub", "hst"])


def test_audience_and_issuer_are_those_of_the_settings() -> None:
    claims = claims_of(made("--auth-audience", "wirehop", "--auth-issuer", "app"))
    assert (claims["aud"], claims["iss"]) == ("wirehop", "app")


def test_a_good_token_is_called_good() -> None:
    result = run("--check", made("--user", "ada"))
    assert re.search(r"^good: a connection token of user 'ada', for (1h|3\d\d\ds) more$", result.output, re.MULTILINE)
    assert '"sub": "ada"' in result.output
    assert result.return_value == 0
    result = run("--check", "-", input=made("--channel", "news"))
    assert "good: a subscription token of somebody anonymous for 'news'" in result.output


@pytest.mark.parametrize(
    ("environment", "text", "reason"),
    [
        ({}, "x", "it is not a JWT"),
        ({}, "a.b.c", "its header cannot be read"),
        ({"WIREHOP_AUTH__SECRETS": SECRET[::-1]}, "", "it is not signed with a key known here"),
        ({"WIREHOP_AUTH__AUDIENCE": "other"}, "", "it is for another audience"),
    ],
)
def test_a_bad_token_is_refused_with_the_reason(
    environment: dict[str, str], text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = text or made("--user", "ada")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = run("--check", text)
    assert f"refused: {reason}" in result.output
    assert result.return_value == 1


def test_a_secret_is_long_random_and_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = made("--secret"), made("--secret")
    assert first != second
    assert len(first) >= 43
    monkeypatch.setenv("WIREHOP_AUTH__SECRETS", first)
    assert made("--user", "ada").count(".") == 2


def test_without_a_secret_there_is_nothing_to_sign_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WIREHOP_AUTH__SECRETS")
    with pytest.raises(SettingsError, match=r"auth\.secrets is empty"):
        run("--user", "ada", catch_exceptions=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--channel", "a", "--subscribe", "b"),
        ("--allow", "pub"),
        ("--channel", "a", "--allow", "all"),
        ("--info", "{"),
        ("--ttl", "soon"),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert type(result.exception).__name__ == "UsageError"
