"""The settings that go with an answer, as a file to copy: `wirehop.toml`.

It knows settings by name, and a test loads every file that it writes. It does not write secrets.
"""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Final

from wirehop.advisor.answer import Advice
from wirehop.advisor.facts import Facts
from wirehop.advisor.techniques import CHANNELS

ONE_WAY, TWO_WAY = "feed", "room"
MISSED_SECONDS: Final = 300
LEAST_HISTORY: Final = 100
MOST_HISTORY: Final = 10_000
LARGEST: Final = 1_048_576
"""What is larger is sent in pieces, or as a file by HTTP."""

DEFAULT_PUBLICATION: Final = 65_536
DEFAULT_RECOVERY: Final = 300
SERVERLESS_WAIT: Final = "20s"
Line = tuple[str, str, str]
"""Option, value as TOML, and why."""


def namespace_of(facts: Facts) -> str:
    """What to call the namespace."""
    return TWO_WAY if facts.direction == "both" or facts.peers > 1 or facts.media != "none" else ONE_WAY


def settings_of(advice: Advice) -> str:
    """`wirehop.toml`."""
    facts = advice.facts
    lines = [f"# {advice.sentence}"]
    if facts.login != "none":
        lines.append("# Tokens are checked with a secret: wirehop token --secret > secret.txt")
        lines.append("# and export WIREHOP_AUTH__SECRETS_FILE=secret.txt (docs/auth.md)")
    for section, options in _sections(advice).items():
        lines += ["", f"[{section}]"]
        width = max(len(f"{name} = {value}") for name, value, _ in options)
        lines += [f"{f'{name} = {value}':<{width}}  # {why}" for name, value, why in options]
    return "\n".join(lines) + "\n"


def _sections(advice: Advice) -> Mapping[str, list[Line]]:
    facts = advice.facts
    sections: dict[str, list[Line]] = {f"namespaces.{namespace_of(facts)}": list(_namespace(advice))}
    more = {
        "auth": _auth(facts),
        "origins": _origins(facts),
        "transports": _transports(advice),
        "heartbeat": _heartbeat(facts),
        "sessions": _sessions(facts),
        "limits": _limits(advice),
        "rtc": _rtc(advice),
    }
    return {**sections, **{name: options for name, each in more.items() if (options := list(each))}}


def delivery_of(facts: Facts) -> str:
    """The class of the channel."""
    if facts.kind == "tokens":
        return "log"
    if facts.loss == "latest":
        return "latest"
    return "log" if facts.loss == "none" or facts.resume else "signal"


def history_of(facts: Facts) -> int:
    """How many publications five minutes are."""
    return max(LEAST_HISTORY, min(MOST_HISTORY, ceil(facts.down * MISSED_SECONDS)))


def _namespace(advice: Advice) -> Iterator[Line]:
    facts = advice.facts
    delivery = delivery_of(facts)
    whys = {
        "log": "what was missed comes again, in order",
        "latest": "who is late gets the newest value only",
        "signal": "what is missed is missed",
    }
    yield "delivery", f'"{delivery}"', whys[delivery]
    if delivery == "log":
        yield (
            "history_size",
            str(history_of(facts)),
            f"{MISSED_SECONDS // 60} minutes, but {LEAST_HISTORY} to {MOST_HISTORY:,}",
        )
        yield "history_age", '"1d"' if facts.background else '"10m"', "how long somebody may be away"
    if needs_room(advice):
        yield "rtc", "true", "subscribers may call each other"
        yield "presence", "true", "rtc needs it"
        yield "join_leave", "true", "who comes and goes"
    who = '"anyone"' if facts.login == "none" else '"signed-in"'
    yield "subscribe", who, "login: " + facts.login
    yield "publish", '"nobody"' if namespace_of(facts) == ONE_WAY else who, "the server itself always may"
    if facts.payload > DEFAULT_PUBLICATION:
        yield "publication_bytes", f'"{_size(facts)}"', "larger things in pieces"


def needs_room(advice: Advice) -> bool:
    """Whether people reach one another directly."""
    direct = CHANNELS | {"media"}
    return advice.facts.peers > 0 and bool(direct & {advice.main, *advice.fallbacks}) and not _is_of_the_server(advice)


def _is_of_the_server(advice: Advice) -> bool:
    return advice.main in CHANNELS and bool(advice.meanwhile)


def _auth(facts: Facts) -> Iterator[Line]:
    if facts.login == "cookie":
        yield "cookie", '"token"', "the cookie that holds the token"


def _origins(facts: Facts) -> Iterator[Line]:
    if facts.other_origin != "no":
        yield "allowed", '["https://www.example.org"]', "where the page comes from"


def _transports(advice: Advice) -> Iterator[Line]:
    if "jsonp" in {advice.main, *advice.fallbacks}:
        yield "jsonp", "true", "for pages that can load nothing but scripts"


def _heartbeat(facts: Facts) -> Iterator[Line]:
    if facts.battery:
        yield "interval", '"45s"', "each one wakes a radio"


def _sessions(facts: Facts) -> Iterator[Line]:
    if facts.background:
        yield "window", '"10m"', "while the app is away"


def _limits(advice: Advice) -> Iterator[Line]:
    facts = advice.facts
    if delivery_of(facts) == "log" and history_of(facts) > DEFAULT_RECOVERY:
        yield "recovery_publications", str(history_of(facts)), "as many as the history has"
    if facts.payload > DEFAULT_PUBLICATION and namespace_of(facts) == TWO_WAY:
        yield "message_bytes", f'"{_size(facts, twice=True)}"', "a client's message, with its envelope"
    if facts.hosting == "serverless":
        yield "poll_wait", f'"{SERVERLESS_WAIT}"', "shorter than the host lets a request live"


def _size(facts: Facts, *, twice: bool = False) -> str:
    size = 1 << (min(facts.payload, LARGEST) - 1).bit_length()
    return f"{size * (2 if twice else 1) // 1024}KiB"


def _rtc(advice: Advice) -> Iterator[Line]:
    if needs_room(advice):
        yield "turn", '"embedded"', "carries what finds no direct way"
