"""Tokens: JWTs (RFC 7519) that an application signs, in the shape Centrifugo uses where the meanings agree.

A connection token says who somebody is; a subscription token lets one user into one channel.

    sub          the user; empty is anonymous                        exp iat nbf   Unix time in seconds
    jti          the token's id, by which it can be revoked          aud iss       checked where the settings name them
    info         shown to others (conn_info, chan_info)              expire_at     when the session ends, if not at exp
    channels     connection: subscribe to these at connect; subs: the same, each with info, data, allow and since
    caps         connection: [{channels, match, allow}], what may be done without being subscribed at connect
    channel      subscription: the one it is for; with data, allow and since

`allow` lists `sub`, `pub`, `hst` (history), `prs` (presence); a subscription without it gets `sub`, `hst` and `prs`.
`since` is the Unix time from which on history may be read. A token with `channel` is no connection token, and one
without is no subscription token: neither opens the other's door.

The signature is checked by PyJWT, with the one algorithm a key is for; the claims are checked here, by our clock.
"""

from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from wirehop.abc import Action, Clock
from wirehop.auth.jwks import ALGORITHMS, KeyFile, KeySource, KeyUrl
from wirehop.codecs.payload import json_payload
from wirehop.core.errors import PayloadError, SettingsError, WirehopError
from wirehop.settings.check_auth import MIN_SECRET_BYTES
from wirehop.settings.tree import Auth

MAX_TOKEN_BYTES: Final = 8192
MAX_CANDIDATES: Final = 8
"""Keys tried for one token at most."""
HMAC: Final = "HS256"

_T = TypeVar("_T")
_ACTIONS: Final[Mapping[str, Action]] = {"sub": "subscribe", "pub": "publish", "hst": "history", "prs": "presence"}
_READING: Final = frozenset[Action]({"subscribe", "history", "presence"})
_Time = Annotated[int, Meta(ge=0, le=100_000_000_000)] | Annotated[float, Meta(ge=0, le=1e11)]
_Name = Annotated[str, Meta(max_length=256)]
_Allow = list[Literal["sub", "pub", "hst", "prs"]]


class BadToken(WirehopError):
    """A token that is not good; `reason` says why. `is_expired`: it was good once, so a newer one may be."""

    def __init__(self, reason: str, *, is_expired: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_expired = is_expired


# ---- what a good token says ----------------------------------------------------------------------------------------


class ChannelGrant(Struct, frozen=True):
    """What a token grants in one channel. `since` is Unix time (0: all of the history), `expires_at` too (0: never);
    `token_id` and `issued_at` are those of the token that grants it."""

    actions: frozenset[Action] = _READING
    info: Raw | None = None
    data: Raw | None = None
    since: float = 0.0
    expires_at: float = 0.0
    token_id: str = ""
    issued_at: float = 0.0


class Capability(Struct, frozen=True):
    """Channels by name, or by pattern (`*` stands for any characters), and what may be done there."""

    channels: tuple[str, ...]
    actions: frozenset[Action]
    is_pattern: bool = False

    def covers(self, action: Action, channel: str) -> bool:
        """Whether it grants that."""
        if action not in self.actions:
            return False
        if not self.is_pattern:
            return channel in self.channels
        # only `*` is special: a bracket in a pattern is a bracket
        return any(fnmatchcase(channel, each.replace("[", "[[]").replace("?", "[?]")) for each in self.channels)


class ConnectionToken(Struct, frozen=True):
    """Who connects, and what the token grants. `expires_at`: when the session ends; 0 is never."""

    user: str = ""
    info: Raw | None = None
    subs: dict[str, ChannelGrant] = {}
    caps: tuple[Capability, ...] = ()
    expires_at: float = 0.0
    token_id: str = ""
    issued_at: float = 0.0

    def grants(self, action: Action, channel: str) -> bool:
        """Whether the token itself grants that."""
        grant = self.subs.get(channel)
        if grant is not None and action in grant.actions:
            return True
        return any(capability.covers(action, channel) for capability in self.caps)


# ---- claims as they stand in the token -----------------------------------------------------------------------------


class _Header(Struct):
    alg: str
    kid: str = ""
    crit: object = None


class _Registered(Struct):
    sub: _Name = ""
    exp: _Time | None = None
    iat: _Time | None = None
    nbf: _Time | None = None
    jti: _Name = ""
    aud: str | list[str] | None = None
    iss: str | None = None
    expire_at: _Time | None = None
    info: Raw | UnsetType = UNSET


class _Sub(Struct):
    info: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    allow: _Allow | None = None
    since: _Time = 0


class _Cap(Struct):
    channels: list[str]
    allow: _Allow
    match: Literal["", "exact", "wildcard"] = ""


class _Connection(_Registered):
    channels: list[str] = field(default_factory=list)
    subs: dict[str, _Sub] = field(default_factory=dict)
    caps: list[_Cap] = field(default_factory=list)
    channel: object = None


class _Subscription(_Registered):
    channel: str = ""
    data: Raw | UnsetType = UNSET
    allow: _Allow | None = None
    since: _Time = 0


_HEADER = msgspec.json.Decoder(_Header)
_CONNECTION = msgspec.json.Decoder(_Connection)
_SUBSCRIPTION = msgspec.json.Decoder(_Subscription)


class Tokens:
    """Checks tokens. Raises `SettingsError` for keys that cannot be used."""

    def __init__(self, settings: Auth, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._secrets = [secret.encode() for secret in settings.secrets]
        if any(len(secret) < MIN_SECRET_BYTES for secret in self._secrets):
            raise SettingsError(f"auth.secrets: each has {MIN_SECRET_BYTES} bytes or more", key="auth.secrets")
        # files first: nobody waits for a URL whose key is at hand
        self._sources = [self._source(key) for key in sorted(settings.keys, key=lambda key: "://" in key)]
        self._algorithms = (HMAC,) * bool(self._secrets) + ALGORITHMS * bool(self._sources)
        self._jwt = _pyjwt()
        self._jws = self._jwt.PyJWS(algorithms=self._algorithms)

    def close(self) -> None:
        """Let go of what fetches keys."""
        for source in self._sources:
            source.close()

    async def connection(self, token: str) -> ConnectionToken:
        """What a connection token says. Raises `BadToken`."""
        claims = _decoded(_CONNECTION, await self._payload(token))
        if claims.channel is not None:
            raise BadToken("it is a subscription token")
        self._check(claims)
        expires_at = _expiry(claims)
        marks = {"token_id": claims.jti, "issued_at": float(claims.iat or 0)}
        subs = {channel: ChannelGrant(**marks) for channel in claims.channels}  # type: ignore[arg-type]
        for channel, sub in claims.subs.items():
            subs[channel] = _grant(sub, 0.0, marks)
        caps = tuple(
            Capability(tuple(cap.channels), frozenset(_ACTIONS[each] for each in cap.allow), cap.match == "wildcard")
            for cap in claims.caps
        )
        return ConnectionToken(
            claims.sub, _raw(claims.info), subs, caps, expires_at, claims.jti, float(claims.iat or 0)
        )

    async def subscription(self, token: str, channel: str, user: str) -> ChannelGrant:
        """What a subscription token grants `user` in `channel`. Raises `BadToken`, also where it is another's."""
        claims = _decoded(_SUBSCRIPTION, await self._payload(token))
        if not claims.channel:
            raise BadToken("it is not a subscription token: it names no channel")
        if claims.channel != channel:
            raise BadToken("it is for another channel")
        if claims.sub != user:
            raise BadToken("it is for another user")
        self._check(claims)
        return _grant(claims, _expiry(claims), {"token_id": claims.jti, "issued_at": float(claims.iat or 0)})

    # ---- inside

    async def _payload(self, token: str) -> bytes:
        """The payload of a token whose signature is good."""
        if len(token) > MAX_TOKEN_BYTES:
            raise BadToken(f"it is longer than {MAX_TOKEN_BYTES} bytes")
        if not token.isascii() or token.count(".") != 2:
            raise BadToken("it is not a JWT")
        header = self._header(token.partition(".")[0])
        for key in await self._candidates(header):
            try:
                payload: bytes = self._jws.decode_complete(token, key, algorithms=[header.alg])["payload"]
            except self._jwt.InvalidSignatureError:
                continue
            except self._jwt.PyJWTError as error:
                raise BadToken(f"it is not a JWT: {error}") from None
            return payload
        raise BadToken("it is not signed with a key known here")

    def _header(self, segment: str) -> _Header:
        try:
            data = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
            data.decode()
            header = _HEADER.decode(data)
        except (Base64Error, ValueError, msgspec.DecodeError, RecursionError):
            raise BadToken("its header cannot be read") from None
        if header.crit is not None:  # RFC 7515 section 4.1.11: what must be understood, and is not, refuses
            raise BadToken("its header has extensions that are not known here")
        if header.alg not in self._algorithms:
            raise BadToken("its algorithm is not one of the keys here")
        return header

    async def _candidates(self, header: _Header) -> list[Any]:
        if header.alg == HMAC:
            return list(self._secrets[:MAX_CANDIDATES])
        found: list[Any] = []
        for source in self._sources:
            found += [key.key for key in await source.keys(header.kid) if key.algorithm == header.alg]
            if found and header.kid:
                break
        return found[:MAX_CANDIDATES]

    def _check(self, claims: _Registered) -> None:
        """The registered claims, RFC 7519 section 4.1."""
        now, leeway, settings = self._clock.wall(), self._settings.leeway, self._settings
        if settings.audience:
            audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud or []
            if settings.audience not in audience:
                raise BadToken("it is for another audience")
        if settings.issuer and claims.iss != settings.issuer:
            raise BadToken("it is of another issuer")
        if claims.nbf is not None and now < claims.nbf - leeway:
            raise BadToken("it is not valid yet")
        if claims.iat is not None and now < claims.iat - leeway:
            raise BadToken("it was issued in the future")
        if claims.exp is None and settings.require_expiry:
            raise BadToken("it has no exp")
        if claims.exp is not None and now >= claims.exp + leeway:
            raise BadToken("it has expired", is_expired=True)

    def _source(self, key: str) -> KeySource:
        if "://" not in key:
            return KeyFile(key)
        settings = self._settings
        return KeyUrl(
            key,
            clock=self._clock,
            refresh=settings.keys_refresh,
            retry=settings.keys_retry,
            stale=settings.keys_stale,
        )


def sign(claims: Mapping[str, object], secret: str) -> str:
    """A token with these claims, signed with HS256."""
    text: str = _pyjwt().encode(dict(claims), secret, algorithm=HMAC)
    return text


def _pyjwt() -> Any:
    """PyJWT, imported by whoever has tokens: it brings all of `cryptography` along where that is installed."""
    import jwt

    return jwt


def _decoded(decoder: "msgspec.json.Decoder[_T]", payload: bytes) -> _T:
    try:
        payload.decode()
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadToken(f"its claims are not as they should be: {error}") from None


def _expiry(claims: _Registered) -> float:
    expires_at = claims.exp if claims.expire_at is None else claims.expire_at
    return float(expires_at or 0)


def _grant(sub: "_Sub | _Subscription", expires_at: float, marks: Mapping[str, object]) -> ChannelGrant:
    return ChannelGrant(
        actions_of(sub.allow),
        _raw(sub.info),
        _raw(sub.data),
        float(sub.since),
        expires_at,
        **marks,  # type: ignore[arg-type]
    )


def actions_of(allow: Sequence[str] | None) -> frozenset[Action]:
    """What a list of `sub`, `pub`, `hst` and `prs` allows a subscriber; without a list: to read."""
    return _READING if allow is None else frozenset({_ACTIONS[each] for each in allow} | {"subscribe"})


def _raw(value: Raw | UnsetType) -> Raw | None:
    """A claim is spliced into replies as it stands: checked and compacted, so that no line break survives."""
    if not isinstance(value, Raw):
        return None
    try:
        return Raw(json_payload(bytes(value)))
    except PayloadError as error:
        raise BadToken(f"its claims are not as they should be: {error.message}") from None
