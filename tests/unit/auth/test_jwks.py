"""Public keys: which of a set are used, when a set is fetched, and what happens while its URL fails."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from wirehop.auth.http import HttpAnswer, HttpFailed
from wirehop.auth.jwks import KeyFile, KeyUrl, read_pem, read_set
from wirehop.auth.tokens import BadToken, Tokens
from wirehop.core.errors import SettingsError
from wirehop.settings import Auth
from wirehop.testing.clock import ManualClock

RSA = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)
CURVE = ec.generate_private_key(ec.SECP256R1())
OTHER_CURVE = ec.generate_private_key(ec.SECP384R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()
CLAIMS = {"sub": "ada", "exp": 1_700_000_600}


def jwk(key: Any, **more: Any) -> dict[str, Any]:
    kinds = {
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
        ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
    }
    algorithm = next(made for kind, made in kinds.items() if isinstance(key, kind))
    return {**json.loads(algorithm.to_jwk(key.public_key())), **more}


def key_set(*keys: Any) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


def pem(key: Any) -> bytes:
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_key().public_bytes(serialization.Encoding.PEM, public))


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (CURVE, "ES256"), (EDWARDS, "EdDSA")])
@pytest.mark.parametrize("form", ["pem", "set"])
@pytest.mark.asyncio
async def test_each_kind_of_key_checks_its_tokens(tmp_path: Path, key: Any, algorithm: str, form: str) -> None:
    (tmp_path / "keys").write_bytes(pem(key) if form == "pem" else key_set(jwk(key, kid="one")))
    tokens = Tokens(Auth(keys=(str(tmp_path / "keys"),)), ManualClock())
    text = jwt.encode(CLAIMS, key, algorithm=algorithm, headers={"kid": "one"})
    assert (await tokens.connection(text)).user == "ada"
    other = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1())}
    forged = jwt.encode(CLAIMS, other.get(algorithm, ed25519.Ed25519PrivateKey.generate()), algorithm=algorithm)
    with pytest.raises(BadToken, match="not signed"):
        await tokens.connection(forged)


@pytest.mark.asyncio
async def test_a_token_that_names_no_key_is_checked_with_those_of_its_kind(tmp_path: Path) -> None:
    keys = (("RS256", RSA), ("ES256", CURVE), ("EdDSA", EDWARDS))
    (tmp_path / "keys").write_bytes(key_set(*(jwk(key, kid=name) for name, key in keys)))
    tokens = Tokens(Auth(keys=(str(tmp_path / "keys"),)), ManualClock())
    for algorithm, key in keys:
        assert (await tokens.connection(jwt.encode(CLAIMS, key, algorithm=algorithm))).user == "ada"


def test_of_a_set_only_keys_for_signatures_of_our_kinds_are_used() -> None:
    keys = read_set(
        key_set(
            jwk(RSA, kid="rsa", use="sig", alg="RS256"),
            jwk(CURVE, kid="curve"),
            jwk(EDWARDS, kid="edwards", alg="EdDSA"),
            jwk(EDWARDS, kid="edwards by its newer name", alg="Ed25519"),
            jwk(RSA, kid="encryption", use="enc"),
            jwk(RSA, kid="other algorithm", alg="RS512"),
            jwk(RSA, kid="another kind's algorithm", alg="HS256"),
            jwk(WEAK, kid="too short"),
            jwk(OTHER_CURVE, kid="other curve"),
            {"kty": "oct", "k": "c2VjcmV0", "kid": "a shared secret", "alg": "HS256"},
            {"kty": "RSA", "n": "!!", "e": "AQAB", "kid": "broken"},
            {"kty": ["RSA"], "kid": "nonsense"},
            {},
        ),
        "here",
    )
    assert [(key.kid, key.algorithm) for key in keys] == [
        ("rsa", "RS256"),
        ("curve", "ES256"),
        ("edwards", "EdDSA"),
        ("edwards by its newer name", "EdDSA"),
    ]


@pytest.mark.parametrize("data", [b"", b"x", b"[]", b'{"keys":1}', b'{"keys":[1]}', b"\xff", b"[" * 10_000])
def test_what_is_no_set_is_an_error(data: bytes) -> None:
    with pytest.raises(SettingsError, match="no JWK set"):
        read_set(data, "here")


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        KeyFile(str(tmp_path / "missing"))
    private = CURVE.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for data, reason in (
        (private, "private key"),
        (pem(WEAK), "not used"),
        (pem(OTHER_CURVE), "not used"),
        (b"-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "no public key"),
    ):
        with pytest.raises(SettingsError, match=reason):
            read_pem(data, "here")
    (tmp_path / "empty.json").write_bytes(key_set())
    with pytest.raises(SettingsError, match="has no key"):
        KeyFile(str(tmp_path / "empty.json"))


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(SettingsError, match=r"wirehop\[keys\]"):
        KeyUrl("https://keys.example/", clock=ManualClock(), refresh=60, retry=10, stale=600)
    with pytest.raises(SettingsError, match=r"wirehop\[keys\]"):
        Tokens(Auth(keys=("https://keys.example/",)), ManualClock())


class Web:
    """Stands in for `HttpClient`: answers what it is told to, and counts."""

    def __init__(self, answer: Callable[[], HttpAnswer]) -> None:
        self.answer = answer
        self.count = 0
        self.gate: asyncio.Event | None = None

    async def request(self, *_arguments: object) -> HttpAnswer:
        self.count += 1
        if self.gate is not None:
            await self.gate.wait()
        return self.answer()

    def close(self) -> None:
        """Nothing is open."""


def fetching(web: Web, clock: ManualClock) -> KeyUrl:
    return KeyUrl("https://keys.example/", clock=clock, refresh=60, retry=10, stale=600, http=web)  # type: ignore[arg-type]


def good(*kids: str) -> Callable[[], HttpAnswer]:
    return lambda: HttpAnswer(200, {}, key_set(*(jwk(CURVE, kid=kid) for kid in kids)))


def failing() -> HttpAnswer:
    raise HttpFailed("it is down")


async def settled(source: KeyUrl) -> None:
    if source._fetching is not None:
        await asyncio.wait([source._fetching])


@pytest.mark.asyncio
async def test_a_set_is_fetched_once_and_again_when_it_is_old() -> None:
    clock, web = ManualClock(), Web(good("one"))
    source = fetching(web, clock)
    assert [key.kid for key in await source.keys("one")] == ["one"]
    assert await source.keys("one")
    assert web.count == 1
    clock.advance(61)
    web.answer = good("two")
    assert [key.kid for key in await source.keys("one")] == ["one"], "a known key waits for no fetch"
    await settled(source)
    assert web.count == 2
    assert [key.kid for key in await source.keys("two")] == ["two"]
    assert await source.keys("one") == [], "a key that was taken out of the set is good no more"


@pytest.mark.asyncio
async def test_an_unknown_key_asks_once_per_interval_and_all_who_wait_share_it() -> None:
    clock, web = ManualClock(), Web(good("one"))
    source = fetching(web, clock)
    await source.keys("one")
    clock.advance(11)
    web.gate = asyncio.Event()
    web.answer = good("one", "two")
    waiting = [asyncio.ensure_future(source.keys(kid)) for kid in ("two", "three", "two")]
    await asyncio.sleep(0)
    assert await source.keys("one"), "a known key waits for nobody"
    web.gate.set()
    assert [len(found) for found in await asyncio.gather(*waiting)] == [1, 0, 1]
    assert web.count == 2
    for _ in range(20):
        assert await source.keys("four") == []
    assert web.count == 2
    clock.advance(11)
    assert await source.keys("four") == []
    assert web.count == 3


@pytest.mark.parametrize(
    "bad",
    [
        failing,
        lambda: HttpAnswer(500, {}, b""),
        lambda: HttpAnswer(200, {}, b"x"),
        lambda: HttpAnswer(200, {}, key_set()),
        lambda: HttpAnswer(302, {"location": "https://evil.example"}, b""),
    ],
)
@pytest.mark.asyncio
async def test_while_the_url_fails_the_last_keys_are_used_for_a_time(bad: Callable[[], HttpAnswer]) -> None:
    clock, web = ManualClock(), Web(good("one"))
    source = fetching(web, clock)
    await source.keys("one")
    web.answer = bad
    clock.advance(600)
    assert await source.keys("one")
    await settled(source)
    assert await source.keys("one")
    clock.advance(61)
    assert await source.keys("one") == []
    web.answer = good("one")
    clock.advance(11)
    assert await source.keys("one")


@pytest.mark.asyncio
async def test_one_who_stops_waiting_stops_no_fetch() -> None:
    web = Web(good("one"))
    web.gate = asyncio.Event()
    source = fetching(web, ManualClock())
    first, second = (asyncio.ensure_future(source.keys("one")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    web.gate.set()
    assert len(await second) == 1
    assert web.count == 1
