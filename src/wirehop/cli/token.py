"""`wirehop token`: make a token with the secret of the settings, look at one, or make a secret.

A tool for trying and for scripts: an application signs its tokens itself, with any JWT library.
"""

import asyncio
import secrets
import sys
import time
from base64 import urlsafe_b64decode
from typing import Any

import click
import msgspec

from wirehop.auth.tokens import BadToken, Tokens, sign
from wirehop.core.errors import SettingsError
from wirehop.node.clock import SystemClock
from wirehop.settings.flags import settings_options
from wirehop.settings.load import Flags, load
from wirehop.settings.tree import Auth
from wirehop.settings.units import format_duration, parse_duration

SECRET_BYTES = 32


@click.command()
@settings_options
@click.option("--user", metavar="TEXT", default="", help="Whom the token is for; empty: somebody anonymous.")
@click.option("--ttl", metavar="DURATION", default="1h", show_default=True, help="How long it is good.")
@click.option("--channel", metavar="NAME", default="", help="Make a subscription token, for this channel.")
@click.option("--allow", metavar="A,B", default="", help="What it allows there: of pub, hst (history), prs (presence).")
@click.option("--subscribe", metavar="NAME", multiple=True, help="Subscribe to this channel at connect; repeatable.")
@click.option("--info", metavar="JSON", default="", help="What others see of the user.")
@click.option("--id", "token_id", metavar="TEXT", default="", help="The token's id (jti); one is made up otherwise.")
@click.option("--check", metavar="TOKEN", default="", help="Show a token's claims, and whether it is good; `-`: stdin.")
@click.option("--secret", "makes_secret", is_flag=True, help="Make a secret for auth.secrets, and stop.")
def token(
    flags: Flags,
    *,
    user: str,
    ttl: str,
    channel: str,
    allow: str,
    subscribe: tuple[str, ...],
    info: str,
    token_id: str,
    check: str,
    makes_secret: bool,
) -> int:
    """Make a connection token, or with --channel a subscription token; or check one.

    The secret is the first of auth.secrets: from the settings file, or from WIREHOP_AUTH__SECRETS.
    """
    if makes_secret:
        click.echo(secrets.token_urlsafe(SECRET_BYTES))
        return 0
    auth = load(flags).settings.auth
    if check:
        return _show(sys.stdin.read().strip() if check == "-" else check, auth)
    if not auth.secrets:
        raise SettingsError("auth.secrets is empty: there is nothing to sign with; `wirehop token --secret` makes one")
    if channel and subscribe:
        raise click.UsageError("--subscribe is for connection tokens, --channel makes a subscription token")
    if allow and not channel:
        raise click.UsageError("--allow goes with --channel")
    claims: dict[str, Any] = {"sub": user, **_times(ttl), "jti": token_id or secrets.token_urlsafe(12)}
    claims |= {"aud": auth.audience} if auth.audience else {}
    claims |= {"iss": auth.issuer} if auth.issuer else {}
    claims |= {"info": _json(info)} if info else {}
    claims |= {"channel": channel} if channel else {}
    claims |= {"allow": _allowed(allow)} if allow else {}
    claims |= {"channels": list(subscribe)} if subscribe else {}
    click.echo(sign(claims, auth.secrets[0]))
    return 0


def _times(ttl: str) -> dict[str, int]:
    try:
        seconds = parse_duration(ttl)
    except ValueError as error:
        raise click.UsageError(f"--ttl {ttl!r} {error}") from None
    now = int(time.time())
    return {"iat": now, "exp": now + max(1, int(seconds))}


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise click.UsageError(f"--info is not JSON: {error}") from None


def _allowed(text: str) -> list[str]:
    found = [each.strip() for each in text.split(",")]
    if not set(found) <= {"pub", "hst", "prs"}:
        raise click.UsageError(f"--allow {text!r}: allowed: pub, hst, prs")
    return found


def _show(text: str, auth: Auth) -> int:
    """Print the claims and the verdict; the exit code."""
    claims = _claims(text)
    if claims is not None:
        click.echo(msgspec.json.format(msgspec.json.encode(claims), indent=2))
    try:
        click.echo(f"good: {asyncio.run(_verdict(text, auth, claims or {}))}")
    except BadToken as error:
        click.echo(f"refused: {error.reason}")
        return 1
    return 0


async def _verdict(text: str, auth: Auth, claims: dict[str, Any]) -> str:
    tokens = Tokens(auth, SystemClock())
    try:
        user, channel = claims.get("sub", ""), claims.get("channel")
        who = f"user {user!r}" if user else "somebody anonymous"
        if isinstance(channel, str) and isinstance(user, str):
            expires_at = (await tokens.subscription(text, channel, user)).expires_at
            kind = f"a subscription token of {who} for {channel!r}"
        else:
            expires_at = (await tokens.connection(text)).expires_at
            kind = f"a connection token of {who}"
        seconds = float(max(0, int(expires_at - time.time())))
        return f"{kind}, for {format_duration(seconds)} more" if expires_at else f"{kind}, without end"
    finally:
        tokens.close()


def _claims(text: str) -> dict[str, Any] | None:
    """What the payload says, signed or not; None where it cannot be read."""
    parts = text.split(".")
    try:
        payload = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (IndexError, ValueError, msgspec.DecodeError, RecursionError):
        return None
