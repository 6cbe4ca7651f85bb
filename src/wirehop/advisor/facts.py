"""What the advisor asks: each question once, with its type, unit, range and sentence; and what it takes for granted.

`Inputs` are the answers: None is "don't know". `complete` turns them into `Facts`, in which every question has an
answer, and says which of them were assumed. The command's options, the form and docs/advisor.md are made of `Facts`.

It knows questions and answers. It does not know rules.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from wirehop.core.codes import BAD_REQUEST, Code
from wirehop.core.errors import WirehopError
from wirehop.measured.profile import TECHNIQUES

Direction = Literal["down", "up", "both"]
Kind = Literal["text", "binary", "tokens", "file"]
Loss = Literal["none", "latest", "any"]
Network = Literal["open", "mobile", "company-proxy", "udp-blocked"]
Hosting = Literal["server", "container", "serverless"]
Front = Literal["cdn", "http2"]
Login = Literal["none", "cookie", "header"]
OtherOrigin = Literal["no", "cors", "no-cors"]
Media = Literal["none", "audio", "video", "screen"]

MOST_USERS: Final = 1_000_000_000
MOST_RATE: Final = 100_000.0


class InputError(WirehopError):
    """An answer that is none. `name` says of which question; `code` is 107."""

    code: Code = BAD_REQUEST

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name = name


class Inputs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The answers to the questions of `Facts`, by the same names. None: don't know."""

    direction: Direction | None = None
    down: float | None = None
    up: float | None = None
    payload: int | None = None
    kind: Kind | None = None
    latency: float | None = None
    interval: float | None = None
    loss: Loss | None = None
    order: bool | None = None
    fanout: int | None = None
    users: int | None = None
    browsers: int | None = None
    networks: tuple[Network, ...] | None = None
    turn_tls: bool | None = None
    hosting: Hosting | None = None
    front: tuple[Front, ...] | None = None
    tabs: int | None = None
    login: Login | None = None
    other_origin: OtherOrigin | None = None
    resume: bool | None = None
    secrecy: bool | None = None
    background: bool | None = None
    battery: bool | None = None
    media: Media | None = None
    peers: int | None = None
    viewers: int | None = None
    without: tuple[str, ...] | None = None


def _asks(sentence: str, unit: str = "", *, low: float | None = None, high: float | None = None) -> Meta:
    return Meta(description=sentence, ge=low, le=high, extra={"unit": unit})


class Facts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every question, answered."""

    direction: Annotated[Direction, _asks("Who sends: the server, the clients, or both.")]
    down: Annotated[float, _asks("Messages a client receives.", "/s", low=0, high=MOST_RATE)]
    up: Annotated[float, _asks("Messages a client sends.", "/s", low=0, high=MOST_RATE)]
    payload: Annotated[int, _asks("Size of a message.", "bytes", low=1, high=1 << 30)]
    kind: Annotated[Kind, _asks("What is in a message: text, bytes, tokens of a generator, or a file in pieces.")]
    latency: Annotated[float, _asks("How old a message may be when it arrives.", "ms", low=1, high=86_400_000)]
    interval: Annotated[float, _asks("An update every so often would still please.", "s", low=0.001, high=86_400)]
    loss: Annotated[Loss, _asks("What may be lost: nothing, all but the latest value, or anything.")]
    order: Annotated[bool, _asks("Messages must come in the order in which they were sent.")]
    fanout: Annotated[int, _asks("Recipients of one message.", "people", low=1, high=MOST_USERS)]
    users: Annotated[int, _asks("People at the same time.", "people", low=1, high=MOST_USERS)]
    browsers: Annotated[int, _asks("The year of the oldest browser or webview.", "year", low=2000, high=2100)]
    networks: Annotated[tuple[Network, ...], _asks("The networks that people are in.")]
    turn_tls: Annotated[bool, _asks("There is (or will be) a TURN server over TLS on port 443.")]
    hosting: Annotated[Hosting, _asks("Where the server runs.")]
    front: Annotated[
        tuple[Front, ...], _asks("What stands in front of it: a CDN, a proxy that speaks HTTP/2 to browsers.")
    ]
    tabs: Annotated[int, _asks("Tabs that one person may have open.", "tabs", low=1, high=1000)]
    login: Annotated[Login, _asks("How people are signed in: not at all, by cookie, by a header with a token.")]
    other_origin: Annotated[
        OtherOrigin, _asks("The page is of another origin, which allows CORS, or which allows nothing but GET.")
    ]
    resume: Annotated[bool, _asks("Who was away wants what was missed.")]
    secrecy: Annotated[bool, _asks("The server must not see what is said.")]
    background: Annotated[bool, _asks("People want to hear of it while the page or the app is closed.")]
    battery: Annotated[bool, _asks("Battery counts: telephones, sensors.")]
    media: Annotated[Media, _asks("Live sound, camera or screen.")]
    peers: Annotated[
        int,
        _asks(
            "People (or devices) who send to one another directly; 0: all goes through the server.",
            "people",
            low=0,
            high=100_000,
        ),
    ]
    viewers: Annotated[int, _asks("People who only watch, beside those.", "people", low=0, high=MOST_USERS)]
    without: Annotated[tuple[str, ...], _asks("Techniques that are out of the question.")]


class Question(Struct, frozen=True):
    """One question, as forms and options want it. `choices` are the possible answers, or parts of one if `several`."""

    name: str
    text: str
    unit: str
    type: Literal["number", "whole", "yes-no", "choice", "several"]
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


def _question(name: str, hint: Any) -> Question:
    kind, meta = get_args(hint)
    text, unit = meta.description, meta.extra["unit"]
    if get_origin(kind) is tuple:
        (part, _) = get_args(kind)
        return Question(
            name, text, unit, "several", get_args(part) or tuple(t for t in TECHNIQUES if t != "websocket-h2")
        )
    if get_origin(kind) is Literal:
        return Question(name, text, unit, "choice", get_args(kind))
    types: Mapping[type, Literal["number", "whole", "yes-no"]] = {float: "number", int: "whole", bool: "yes-no"}
    return Question(name, text, unit, types[kind], (), meta.ge, meta.le)


QUESTIONS: Final[Mapping[str, Question]] = {
    name: _question(name, hint) for name, hint in get_type_hints(Facts, include_extras=True).items()
}


def _direction(given: Mapping[str, Any]) -> str:
    up, down = given.get("up"), given.get("down")
    if not up:
        return "down"
    return "up" if down == 0 else "both"


DEFAULTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "direction": _direction,
    "down": lambda given: 0.0 if given["direction"] == "up" else 1.0,
    "up": lambda given: 0.0 if given["direction"] == "down" else 0.2,
    "payload": lambda _: 200,
    "kind": lambda _: "text",
    "latency": lambda given: min(86_400_000.0, 1000.0 * given["interval"]) if given.get("interval") else 1000.0,
    "interval": lambda given: given["latency"] / 1000,
    "loss": lambda _: "none",
    "order": lambda given: given["loss"] == "none",
    "fanout": lambda _: 10,
    "users": lambda _: 1000,
    "browsers": lambda _: 2022,
    "networks": lambda _: ("open", "mobile"),
    "turn_tls": lambda _: False,
    "hosting": lambda _: "server",
    "front": lambda _: (),
    "tabs": lambda _: 3,
    "login": lambda _: "cookie",
    "other_origin": lambda _: "no",
    "resume": lambda given: given["loss"] == "none",
    "secrecy": lambda _: False,
    "background": lambda _: False,
    "battery": lambda given: "mobile" in given["networks"],
    "media": lambda _: "none",
    "peers": lambda given: 2 if given["media"] != "none" else 0,
    "viewers": lambda _: 0,
    "without": lambda _: (),
}
"""What is taken for granted where somebody does not know; each may look at what is known before it."""


def complete(inputs: Inputs) -> tuple[Facts, tuple[str, ...]]:
    """Every question answered, and the names of those that were assumed. Raises `InputError`."""
    given = {name: value for name in QUESTIONS if (value := getattr(inputs, name)) is not None}
    assumed = tuple(name for name in QUESTIONS if name not in given)
    for name in QUESTIONS:
        if name not in given:
            given[name] = DEFAULTS[name](given)
    return checked(given), assumed


def checked(given: Mapping[str, Any]) -> Facts:
    """The facts, each in its range. Raises `InputError`."""
    for name, value in given.items():
        hint = _HINTS[name]
        try:
            msgspec.convert(value, hint)
        except msgspec.ValidationError as error:
            raise InputError(name, f"is {value!r}: {str(error).partition(' - at')[0]}") from None
    for name in given["without"]:
        if name not in QUESTIONS["without"].choices:
            raise InputError("without", f"names {name!r}; techniques are {', '.join(QUESTIONS['without'].choices)}")
    return Facts(**given)


_HINTS: Final = get_type_hints(Facts, include_extras=True)


def inputs_of(data: object) -> Inputs:
    """Answers from decoded JSON. Raises `InputError`."""
    try:
        return msgspec.convert(data, Inputs)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$.")
        raise InputError(place.rstrip("`") or "inputs", f"cannot be used: {problem}") from None
