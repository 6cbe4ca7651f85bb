"""What an application has declared, commented: its namespaces and settings beside what the advisor would say.

What is not known from the settings (rates, sizes, people) comes from the one who asks; what nobody says is assumed.
It knows settings. It does not import applications.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec
from msgspec import Struct

from wirehop.advisor.answer import Advice
from wirehop.advisor.facts import Inputs, Loss
from wirehop.advisor.reason import advise
from wirehop.measured.profile import Profile
from wirehop.settings.options import spelled
from wirehop.settings.tree import ANY_ORIGIN, Namespace, Settings

Verdict = Literal["ok", "hint", "warn"]

MANY: Final = 10_000
MANY_JOINS: Final = 1000
CORS_SINCE: Final = 2012
SHORT_WAIT: Final = 10.0
BATTERY_HEARTBEAT: Final = 30.0
_FLEETING: Final = re.compile(r"cursor|pointer|position|location|mouse|gps|typing|price|ticker|telemetry|sensor")
_LOSS: Final[dict[str, Loss]] = {"log": "none", "latest": "latest", "signal": "any"}


class Comment(Struct, frozen=True):
    """`about` is a setting by its dotted key. `change` says what to do, "" where that is nothing."""

    about: str
    verdict: Verdict
    says: str
    change: str = ""


class Channel(Struct, frozen=True):
    """A declared namespace: what it was taken for, the advice for that, and what stands out."""

    namespace: str
    inputs: Inputs
    advice: Advice
    comments: tuple[Comment, ...]


class Declared(Struct, frozen=True):
    """Everything that is declared."""

    channels: tuple[Channel, ...]
    server: tuple[Comment, ...]


def comment_on(settings: Settings, given: Inputs, profile: Profile) -> Declared:
    """Comments on each namespace that anybody may use, and on the rest of the settings."""
    channels = []
    for name, namespace in settings.namespaces.items():
        if namespace.subscribe == "nobody" and namespace.publish == "nobody" and len(settings.namespaces) > 1:
            continue
        inputs = taken_for(settings, namespace, given)
        comments = tuple(_on_namespace(f"namespaces.{spelled(name)}", namespace, settings, inputs))
        channels.append(Channel(spelled(name), inputs, advise(inputs, profile), comments))
    return Declared(tuple(channels), tuple(_on_server(settings, given)))


def taken_for(settings: Settings, namespace: Namespace, given: Inputs) -> Inputs:
    """What the settings say of a namespace, under what was said by hand."""
    login = "cookie" if settings.auth.cookie else "header"
    read = Inputs(
        direction="down" if namespace.publish == "nobody" else "both",
        loss=_LOSS[namespace.delivery],
        resume=namespace.delivery != "signal" and settings.sessions.window > 0,
        login="none" if namespace.subscribe == "anyone" else login,  # type: ignore[arg-type]
        other_origin="cors" if settings.origins.allowed else "no",
        media="video" if namespace.rtc else "none",
        turn_tls=bool(settings.rtc.turn != "off" and settings.rtc.tcp and settings.server.certificate),
    )
    said = {name: value for name in given.__struct_fields__ if (value := getattr(given, name)) is not None}
    return msgspec.structs.replace(read, **said)


def _on_namespace(key: str, namespace: Namespace, settings: Settings, inputs: Inputs) -> Iterator[Comment]:
    for check in (_on_delivery, _on_history, _on_presence, _on_rtc, _on_rights):
        yield from check(key, namespace, settings, inputs)


def _on_delivery(key: str, namespace: Namespace, settings: Settings, inputs: Inputs) -> Iterator[Comment]:
    about = f"{key}.delivery"
    if namespace.delivery == "signal" and inputs.resume:
        says = "what is missed is missed, but who was away is to get it"
        yield Comment(about, "warn", says, 'delivery = "log", with history')
    if namespace.delivery == "log" and inputs.loss in ("latest", "any"):
        says = "every value is kept and recovered, but the newest one is all that counts"
        yield Comment(about, "warn", says, 'delivery = "latest" (or "signal" if none need be kept)')
    elif namespace.delivery == "log" and _FLEETING.search(key):
        says = "by its name it holds what is stale at once; a slow client gets all of it, one after the other"
        yield Comment(about, "hint", says, 'delivery = "latest", with a key per thing')
    if namespace.delivery == "signal" and settings.sessions.window == 0 and namespace.history_size == 0:
        yield Comment(about, "hint", "nothing outlives a wire: a page that reloads begins with nothing")


def _on_history(key: str, namespace: Namespace, settings: Settings, inputs: Inputs) -> Iterator[Comment]:
    if namespace.delivery != "log":
        return
    most = settings.limits.recovery_publications
    if namespace.history_size > most:
        says = f"{namespace.history_size:,} are kept, but a client recovers {most:,} at most"
        yield Comment("limits.recovery_publications", "hint", says, f"{namespace.history_size}, or keep fewer")
    if inputs.down:
        seconds = min(namespace.history_size / inputs.down, namespace.history_age)
        if seconds < settings.sessions.window:
            says = f"at {inputs.down:g} a second the history is {seconds:.0f} s, less than a session waits"
            yield Comment(
                f"{key}.history_size", "warn", says, f"{round(inputs.down * settings.sessions.window)} or more"
            )


def _on_presence(key: str, namespace: Namespace, _: Settings, inputs: Inputs) -> Iterator[Comment]:
    people = inputs.fanout or 0
    if namespace.presence and people >= MANY:
        says = f"a list of {people:,} people, sent whole to each who asks"
        yield Comment(f"{key}.presence", "warn", says, "count on the server, or rooms of fewer people")
    if namespace.join_leave and people >= MANY_JOINS:
        says = f"each of {people:,} hears of each other who comes and goes: the square of it"
        yield Comment(f"{key}.join_leave", "warn", says, "false")


def _on_rtc(key: str, namespace: Namespace, settings: Settings, inputs: Inputs) -> Iterator[Comment]:
    if not namespace.rtc:
        return
    if not namespace.presence:
        yield Comment(f"{key}.rtc", "warn", "calls need presence: nobody is found without it", f"{key}.presence = true")
    if settings.rtc.turn == "off":
        yield Comment("rtc.turn", "warn", "who has no direct way to the others is not connected", '"embedded"')
    if inputs.networks and "udp-blocked" in inputs.networks and not inputs.turn_tls:
        yield Comment(
            "server.certificate",
            "warn",
            "where UDP is blocked only TURN over TLS passes, and there is none",
            "a certificate, rtc.tcp = true, port 443",
        )


def _on_rights(key: str, namespace: Namespace, settings: Settings, _: Inputs) -> Iterator[Comment]:
    if namespace.publish == "anyone" and not settings.dev:
        yield Comment(
            f"{key}.publish", "hint", "anyone may publish, also who has no name", '"signed-in", or on_publish'
        )
    if namespace.publish != "nobody" and namespace.publication_bytes > settings.limits.message_bytes:
        says = "a client's message may be smaller than a publication: it cannot publish the largest"
        yield Comment("limits.message_bytes", "hint", says, f"more than {namespace.publication_bytes}")


def _on_server(settings: Settings, given: Inputs) -> Iterator[Comment]:
    for check in _SERVER_CHECKS:
        yield from check(settings, given)


def _on_wires(settings: Settings, given: Inputs) -> Iterator[Comment]:
    wires = settings.transports
    if wires.jsonp and given.other_origin != "no-cors" and (given.browsers or CORS_SINCE) >= CORS_SINCE:
        says = "scripts of another origin run in the page, and nobody needs that since browsers know CORS"
        yield Comment("transports.jsonp", "warn", says, "false")
    if not wires.poll:
        yield Comment("transports.poll", "warn", "behind proxies that hold streams back nothing is left", "true")
    if not (wires.websocket or wires.stream or wires.sse):
        yield Comment("transports", "warn", "every client polls", "websocket, stream or sse = true")


def _on_times(settings: Settings, given: Inputs) -> Iterator[Comment]:
    wait = settings.limits.poll_wait
    if wait < SHORT_WAIT and settings.transports.poll:
        requests = 3600 / max(wait, 0.1)
        says = f"a long poll ends after {wait:g} s: {requests:,.0f} requests an hour and client that bring nothing"
        yield Comment("limits.poll_wait", "warn", says, '"55s", or what the host allows')
    if given.battery and settings.heartbeat.interval < BATTERY_HEARTBEAT:
        says = f"a ping every {settings.heartbeat.interval:g} s wakes the radio of each telephone"
        yield Comment("heartbeat.interval", "hint", says, '"45s"')
    if settings.sessions.window == 0 and given.resume:
        yield Comment("sessions.window", "warn", "a session ends with its wire: nothing is resumed", '"60s"')


def _on_bytes(settings: Settings, given: Inputs) -> Iterator[Comment]:
    if settings.server.compression and (given.fanout or 0) >= MANY:
        yield Comment(
            "server.compression", "hint", "compressed once for all, but each client inflates it", "measure both"
        )
    if ANY_ORIGIN in settings.origins.allowed and settings.auth.cookie:
        yield Comment(
            "origins.allowed", "warn", "`*` goes without credentials: the cookie is never sent", "name the origins"
        )


_SERVER_CHECKS: Final[tuple[Callable[[Settings, Inputs], Iterator[Comment]], ...]] = (_on_wires, _on_times, _on_bytes)
