"""One test for each attack on tokens and what they grant, named after it.

Each goes against a running server, over real sockets, with what an attacker would send; and where it would not be clear
otherwise, the honest version is let through first, so that no test passes because nothing works. Tickets, cookies and
the application that is asked have files of their own: `test_attacks_on_…`.
"""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from attacking import (  # noqa: F401 - fixtures
    AUTH,
    OTHER_SECRET,
    SECRET,
    answering,
    bearer,
    claims_of,
    connected,
    dialing,
    end_code,
    forged,
    guarded_server,
    ok,
    pem_of,
    rsa_key,
    settings,
    token,
)
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import structs
from node_under_test import Server, running

from wirehop.node import Node
from wirehop.testing.wires import Conversation, open_wire

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
async def test_alg_none(dial: Callable[..., Conversation], algorithm: str) -> None:
    for signature in (b"", b"x" * 32):
        assert await end_code(dial(), forged({"alg": algorithm}, claims_of(), signature)) == 3500


async def test_a_token_without_an_algorithm(dial: Callable[..., Conversation]) -> None:
    assert await end_code(dial(), forged({"typ": "JWT"}, claims_of())) == 3500


@pytest.mark.parametrize("has_secret", [False, True])
async def test_algorithm_confusion_with_a_public_key_as_hmac_secret(tmp_path: Path, has_secret: bool) -> None:
    key = rsa_key()
    (tmp_path / "key.pem").write_bytes(pem_of(key))
    auth = structs.replace(AUTH, secrets=(SECRET,) if has_secret else (), keys=(str(tmp_path / "key.pem"),))
    async with running(Node(settings(auth))) as server:
        wire = open_wire("websocket", server.port)
        assert await end_code(wire, jwt.encode(claims_of(), key, algorithm="RS256")) == 0
        await wire.close()
        head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
        body = base64.urlsafe_b64encode(json.dumps(claims_of()).encode()).rstrip(b"=")
        for secret in (pem_of(key), pem_of(key).strip(), pem_of(key).replace(b"\n", b"")):
            signature = hmac.new(secret, head + b"." + body, "sha256").digest()
            text = b".".join([head, body, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
            wire = open_wire("websocket", server.port)
            assert await end_code(wire, text) == 3500
            await wire.close()


async def test_another_algorithm_than_the_keys(dial: Callable[..., Conversation], tmp_path: Path) -> None:
    """HS384 and HS512 with the right secret, and signatures of kinds that no key here is for."""
    for algorithm in ("HS384", "HS512"):
        assert await end_code(dial(), jwt.encode(claims_of(), SECRET * 2, algorithm=algorithm)) == 3500
    curve = ec.generate_private_key(ec.SECP256R1())
    assert await end_code(dial(), jwt.encode(claims_of(), curve, algorithm="ES256")) == 3500


async def test_a_key_of_the_attackers_in_the_header(dial: Callable[..., Conversation]) -> None:
    key = rsa_key()
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    for header in (
        {"jwk": jwk},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/x"},
        {"x5c": ["MII"]},
    ):
        assert await end_code(dial(), jwt.encode(claims_of(), key, algorithm="RS256", headers=header)) == 3500


async def test_wrong_secret(dial: Callable[..., Conversation]) -> None:
    assert await end_code(dial(), token()) == 0
    assert await end_code(dial(), token(secret=OTHER_SECRET)) == 3500


async def test_claims_changed_under_the_signature(dial: Callable[..., Conversation]) -> None:
    head, _, signature = token("ada").split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims_of("admin")).encode()).rstrip(b"=").decode()
    assert await end_code(dial(), f"{head}.{body}.{signature}") == 3500


async def test_a_signature_cut_short(dial: Callable[..., Conversation]) -> None:
    text = token()
    for cut in (text[:-1], text[:-20], text.rpartition(".")[0] + ".", text.rpartition(".")[0]):
        assert await end_code(dial(), cut) == 3500


async def test_expired(dial: Callable[..., Conversation]) -> None:
    assert await end_code(dial(), token(ttl=-1)) == 109


async def test_no_expiry(dial: Callable[..., Conversation]) -> None:
    assert await end_code(dial(), token(exp=None)) == 3500


@pytest.mark.parametrize("exp", ["9999999999", True, -1, 1e300, [], {}, 10**30])
async def test_an_expiry_that_is_no_time(dial: Callable[..., Conversation], exp: Any) -> None:
    assert await end_code(dial(), token(exp=exp)) == 3500


async def test_not_yet_valid(dial: Callable[..., Conversation]) -> None:
    assert await end_code(dial(), token(nbf=int(time.time()) + 60)) == 3500
    assert await end_code(dial(), token(iat=int(time.time()) + 60)) == 3500


@pytest.mark.parametrize("server", [{"audience": "wirehop", "issuer": "app"}], indirect=True)
async def test_wrong_audience_or_issuer(dial: Callable[..., Conversation]) -> None:
    for aud in ("wirehop", ["other", "wirehop"]):
        assert await end_code(dial(), token(aud=aud, iss="app")) == 0
    for aud in ("other", ["other"], [], None, "wirehop2"):
        assert await end_code(dial(), token(aud=aud, iss="app")) == 3500
    for iss in ("other", None, ""):
        assert await end_code(dial(), token(aud="wirehop", iss=iss)) == 3500


@pytest.mark.parametrize("wire_name", ["websocket", "sse", "stream", "long-poll", "jsonp"])
async def test_no_token_where_one_is_needed(dial: Callable[..., Conversation], wire_name: str) -> None:
    assert await end_code(dial(wire_name), "") == 101


async def test_no_token_over_a_channel_url(server: Server) -> None:
    for method in ("GET", "POST"):
        answer = await server.request(method, "/channels/public:x", body=b"1" if method == "POST" else b"")
        assert answer.status == 401
        assert answer.header("www-authenticate") == "Bearer"
    assert (await server.request("GET", "/channels/public:x", headers=[bearer(token())])).status == 200


async def test_token_of_another_user_at_refresh(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token("ada"))
    assert "refresh" in await wire.request("refresh", token=token("ada", ttl=900))
    await wire.send("refresh", token=token("eve"))
    assert await wire.end() == 3500


async def test_expired_and_forged_tokens_at_refresh(dial: Callable[..., Conversation]) -> None:
    for text, code in ((token(ttl=-1), 3005), (token(secret=OTHER_SECRET), 3500)):
        wire = await connected(dial, token())
        await wire.send("refresh", token=text)
        assert await wire.end() == code
    wire = await connected(dial, token())
    assert (await wire.request("refresh", token=""))["error"]["code"] == 107


async def test_a_session_outlives_its_token_only_by_the_grace(dial: Callable[..., Conversation]) -> None:
    wire = dial()
    reply = await wire.connect(token=token(ttl=30))
    assert reply["connect"]["expires"] is True
    assert 0 < reply["connect"]["ttl"] <= 30


@pytest.mark.parametrize(
    "text", ["a" * 8193, token() + "a" * 10_000, "." * 5000, "a.b.c", "a.b", "....", "é.é.é", "\x00.\x00.\x00"]
)
async def test_huge_and_malformed_tokens(dial: Callable[..., Conversation], text: str) -> None:
    assert await end_code(dial(), text) == 3500


async def test_deeply_nested_claims_and_headers(dial: Callable[..., Conversation]) -> None:
    deep = "[" * 2000 + "]" * 2000
    for header in ('{"alg":"HS256","x":' + deep + "}", deep):
        parts = (header.encode(), b"{}", b"x" * 32)
        text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
        assert await end_code(dial(), text) == 3500
    nested: Any = 1
    for _ in range(900):
        nested = [nested]
    assert await end_code(dial(), token(info=nested)) == 0  # signed by the application, and small: no harm
    assert await end_code(dial(), token(subs=nested)) == 3500


@pytest.mark.parametrize(
    "kid", ["../../../../etc/passwd", "/dev/null", "' OR 1=1 --", "x\n", "\x00", "a" * 5000, "https://evil.example/k"]
)
async def test_path_traversal_and_injection_by_key_id(tmp_path: Path, kid: str) -> None:
    """A key id selects among the keys that are there, and is nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [{**jwk, "kid": "one"}]}))
    async with running(Node(settings(structs.replace(AUTH, keys=(str(tmp_path / "keys.json"),))))) as server:
        for header, code in (({"kid": "one"}, 0), ({"kid": kid}, 3500)):
            wire = open_wire("websocket", server.port)
            assert await end_code(wire, jwt.encode(claims_of(), key, algorithm="ES256", headers=header)) == code
            await wire.close()
        # an empty file as the secret: what a traversal to /dev/null would give
        wire = open_wire("websocket", server.port)
        assert await end_code(wire, forged({"alg": "HS256", "kid": kid}, claims_of(), b"")) == 3500
        await wire.close()


async def test_critical_header_extensions_that_nobody_understands(dial: Callable[..., Conversation]) -> None:
    text = jwt.encode(claims_of(), SECRET, algorithm="HS256", headers={"crit": ["exp"], "exp": 1})
    assert await end_code(dial(), text) == 3500
    assert await end_code(dial(), jwt.encode(claims_of(), SECRET, algorithm="HS256", headers={"crit": []})) == 3500


async def test_a_flood_of_unknown_key_ids_is_no_flood_of_fetches() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    body = json.dumps({"keys": [{**jwk, "kid": "one"}]}).encode()
    async with answering(lambda _head, _body: ok(body)) as (url, asked):
        auth = structs.replace(AUTH, keys=(url,))
        async with running(Node(settings(auth))) as server:

            async def attempt(kid: str) -> int:
                text = jwt.encode(claims_of(), key, algorithm="ES256", headers={"kid": kid})
                wire = open_wire("websocket", server.port)
                try:
                    return await end_code(wire, text)
                finally:
                    await wire.close()

            codes = await asyncio.gather(*(attempt(f"unknown-{n}") for n in range(50)))
            assert set(codes) == {3500}
            assert len(asked) == 1
            assert [await attempt(f"later-{n}") for n in range(3)] == [3500] * 3
            assert await attempt("one") == 0
            assert len(asked) == 1


async def test_a_key_server_that_never_answers_holds_up_nobody_else() -> None:
    async with (
        answering(lambda _head, _body: None) as (url, _asked),
        running(Node(settings(structs.replace(AUTH, keys=(url,))))) as server,
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        slow = open_wire("websocket", server.port)
        text = jwt.encode(claims_of(), key, algorithm="ES256", headers={"kid": "one"})
        waiting = asyncio.ensure_future(slow.connect(token=text))
        quick = open_wire("websocket", server.port)
        assert await end_code(quick, token()) == 0
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await slow.close()
        await quick.close()
