"""A set of public keys: from a file (PEM or JWK set), or from a URL that is fetched now and then (RFC 7517).

A fetched set is current for `refresh` seconds. A token with a key id that the set lacks asks for a fetch, but there is
at most one per `retry` seconds whatever tokens name: a flood of unknown ids is no flood of requests. While the URL
fails the last keys are used for `stale` seconds more. Fetching never holds up a token whose key is known.

Cryptography beyond HMAC is the extra `wirehop[keys]`; it is imported here, when there are keys.
"""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from wirehop.abc import Clock
from wirehop.auth.http import HttpClient, HttpFailed
from wirehop.core.errors import SettingsError

log = logging.getLogger("wirehop.auth")

MAX_SET_BYTES: Final = 262_144
MAX_KEYS: Final = 64
ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
_MIN_RSA_BITS: Final = 2048


class PublicKey(Struct, frozen=True):
    """One key and the one algorithm it is for. `kid` is empty where it has no name."""

    kid: str
    algorithm: str
    key: Any


class KeySource(Protocol):
    """Where public keys come from."""

    async def keys(self, kid: str) -> list[PublicKey]:
        """The keys a token with this key id ("" where it names none) may be signed with."""
        ...

    def close(self) -> None:
        """Let connections go."""
        ...


def matching(keys: list[PublicKey], kid: str) -> list[PublicKey]:
    """Those with the id. A token that names none may be signed by any; a key without a name fits any id."""
    return [key for key in keys if not kid or not key.kid or key.kid == kid]


class KeyFile:
    """Implements `KeySource`: a PEM file or a JWK set, read once. Raises `SettingsError`."""

    def __init__(self, path: str) -> None:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise SettingsError(f"auth.keys: cannot read {path!r}: {error.strerror}", key="auth.keys") from None
        self._keys = [read_pem(data, path)] if b"-----BEGIN" in data else read_set(data, path)
        if not self._keys:
            raise SettingsError(f"auth.keys: {path!r} has no key for {', '.join(ALGORITHMS)}", key="auth.keys")

    async def keys(self, kid: str) -> list[PublicKey]:
        return matching(self._keys, kid)

    def close(self) -> None:
        """Nothing is open."""


class KeyUrl:
    """Implements `KeySource`: a JWK set behind a URL."""

    def __init__(
        self, url: str, *, clock: Clock, refresh: float, retry: float, stale: float, http: HttpClient | None = None
    ) -> None:
        _crypto()  # where the extra is missing, say so at the start
        self._url = url
        self._clock = clock
        self._refresh, self._retry, self._stale = refresh, retry, stale
        self._http = http or HttpClient(url, max_bytes=MAX_SET_BYTES, timeout=5.0)
        self._keys: list[PublicKey] = []
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self.fetches = 0

    async def keys(self, kid: str) -> list[PublicKey]:
        now = self._clock.now()
        found = matching(self._current(now), kid)
        if found:
            if self._fetched_at is None or now >= self._fetched_at + self._refresh:
                self._fetch_soon(now)  # nobody waits for it
            return found
        fetching = self._fetch_soon(now)
        if fetching is None:
            return []
        await asyncio.wait([fetching])  # shared by all who wait; not cancelled with one of them
        return matching(self._current(self._clock.now()), kid)

    def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
        self._http.close()

    def _current(self, now: float) -> list[PublicKey]:
        if self._fetched_at is None or now > self._fetched_at + self._refresh + self._stale:
            return []
        return self._keys

    def _fetch_soon(self, now: float) -> "asyncio.Task[None] | None":
        if self._fetching is not None:
            return self._fetching
        if self._tried_at is not None and now < self._tried_at + self._retry:
            return None
        self._tried_at = now
        self._fetching = asyncio.get_running_loop().create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        self.fetches += 1
        try:
            answer = await self._http.request("GET", [("Accept", "application/jwk-set+json, application/json")])
            if answer.status != 200:
                raise HttpFailed(f"it answered {answer.status}")
            keys = read_set(answer.body, self._url)
            if not keys:
                raise HttpFailed(f"it has no key for {', '.join(ALGORITHMS)}")
            self._keys, self._fetched_at = keys, self._clock.now()
        except (HttpFailed, SettingsError) as error:
            log.warning("the keys at %s could not be fetched: %s", self._url, error)
        except Exception:
            log.exception("the keys at %s could not be fetched", self._url)
        finally:
            self._fetching = None


class _Set(Struct):
    keys: list[dict[str, Any]]


_SET = msgspec.json.Decoder(_Set)


def read_set(data: bytes, where: str) -> list[PublicKey]:
    """The keys of a JWK set that can be used; others (for encryption, of other kinds, too short) are passed over."""
    jwt = _crypto()
    try:
        found = _SET.decode(data).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"auth.keys: {where!r} is no JWK set: {error}", key="auth.keys") from None
    keys = []
    for jwk in found[:MAX_KEYS]:
        algorithm = _algorithm_of(jwk)
        if not algorithm or jwk.get("use", "sig") != "sig":
            continue
        public = {name: value for name, value in jwk.items() if name in ("kty", "crv", "n", "e", "x", "y")}
        try:
            key = jwt.PyJWK.from_dict({**public, "alg": algorithm}).key
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        kid = jwk.get("kid", "")
        if isinstance(kid, str) and _is_long_enough(key):
            keys.append(PublicKey(kid, algorithm, key))
    return keys


def read_pem(data: bytes, where: str) -> PublicKey:
    """The public key in a PEM file; its kind says the algorithm. Raises `SettingsError`, also for a private key: what
    only checks tokens has no use for it."""
    _crypto()
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in data:
        raise SettingsError(f"auth.keys: {where!r} is a private key; give the public one", key="auth.keys")
    try:
        key = load_pem_public_key(data)
    except ValueError as error:
        raise SettingsError(f"auth.keys: {where!r} is no public key: {error}", key="auth.keys") from None
    if isinstance(key, RSAPublicKey) and _is_long_enough(key):
        return PublicKey("", "RS256", key)
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return PublicKey("", "ES256", key)
    if isinstance(key, Ed25519PublicKey):
        return PublicKey("", "EdDSA", key)
    may_be = f"RSA of {_MIN_RSA_BITS} bits or more, P-256 and Ed25519"
    raise SettingsError(f"auth.keys: {where!r} is of a kind that is not used; allowed: {may_be}", key="auth.keys")


def _algorithm_of(jwk: Mapping[str, object]) -> str:
    """The one algorithm a key is for: its kind says it, and its own `alg` must agree. "" for none of ours."""
    kind = f"{jwk.get('kty')} {jwk.get('crv')}"
    algorithm = {"RSA None": "RS256", "EC P-256": "ES256", "OKP Ed25519": "EdDSA"}.get(kind, "")
    stated = jwk.get("alg", algorithm)
    is_same = stated == algorithm or (algorithm == "EdDSA" and stated == "Ed25519")  # RFC 9864 names the curve
    return algorithm if is_same else ""


def _is_long_enough(key: Any) -> bool:
    is_of_curve = hasattr(key, "curve") or not hasattr(key, "key_size")  # whose length is settled by its kind
    return is_of_curve or key.key_size >= _MIN_RSA_BITS


def _crypto() -> Any:
    """PyJWT with `cryptography`, or the error that says what to install."""
    import jwt

    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise SettingsError("auth.keys needs the extra `keys`: pip install 'wirehop[keys]'", key="auth.keys") from None
    return jwt
