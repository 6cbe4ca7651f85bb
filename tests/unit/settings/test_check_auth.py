"""What contradicts itself in the section `auth`, and in namespaces that rely on it."""

from typing import Any

import pytest

from wirehop.core.errors import SettingsError
from wirehop.settings import Auth, Namespace, Settings, check

SECRET = "0123456789abcdef0123456789abcdef"
ASKING = {"ask_url": "https://app.example/ask", "ask_secret": SECRET}


@pytest.mark.parametrize(
    ("auth", "key"),
    [
        ({"secrets": ("short",)}, "auth.secrets"),
        ({"secrets": (SECRET, "x" * 31)}, "auth.secrets"),
        ({"secrets": ("-----BEGIN PUBLIC KEY-----" + "x" * 32,)}, "auth.secrets"),
        ({"keys": ("http://keys.example/jwks",)}, "auth.keys"),
        ({"keys": ("ftp://keys.example/jwks",)}, "auth.keys"),
        ({"keys": ("https://user:password@keys.example/",)}, "auth.keys"),
        ({"cookie": "wirehop"}, "auth.cookie"),
        ({"cookie": "a b", "secrets": (SECRET,)}, "auth.cookie"),
        ({"cookie": "a;b", "secrets": (SECRET,)}, "auth.cookie"),
        ({"ask_url": "https://app.example/"}, "auth.ask_secret"),
        ({**ASKING, "ask_secret": "short"}, "auth.ask_secret"),
        ({**ASKING, "ask_url": "app.example"}, "auth.ask_url"),
        ({**ASKING, "ask_url": "file:///etc/passwd"}, "auth.ask_url"),
        ({**ASKING, "ask_url": "https://app.example:99999/"}, "auth.ask_url"),
        ({**ASKING, "ask_about": ("subscribe",)}, "auth.ask_about"),
        ({"ask_about": ("connect",)}, "auth.ask_url"),
        ({"leeway": 301.0}, "auth.leeway"),
    ],
)
def test_what_cannot_be_used_is_named(auth: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check(Settings(auth=Auth(**auth)))
    assert caught.value.key == key
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "auth",
    [
        {"secrets": (SECRET, SECRET[::-1]), "cookie": "__Host-wirehop"},
        {"keys": ("https://keys.example/jwks", "http://127.0.0.1:8080/jwks", "http://localhost/jwks", "keys/one.pem")},
        {**ASKING, "ask_about": ("connect", "refresh", "sub_refresh")},
        {**ASKING, "ask_url": "http://app:8000/ask?x=1"},
    ],
)
def test_what_can_be_used_is(auth: dict[str, Any]) -> None:
    check(Settings(auth=Auth(**auth)))


def test_a_namespace_that_asks_or_wants_tokens_needs_whom_to_ask_or_what_to_check_with() -> None:
    for who, auth in (("ask", Auth(**ASKING)), ("token", Auth(secrets=(SECRET,)))):
        for action in ("subscribe", "publish"):
            namespaces = {"": Namespace(**{action: who})}  # type: ignore[arg-type]
            with pytest.raises(SettingsError) as caught:
                check(Settings(namespaces=namespaces))
            assert caught.value.key == f"namespaces.default.{action}"
            check(Settings(namespaces=namespaces, auth=auth))
