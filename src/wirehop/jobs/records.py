"""How a job is written down in its channel: it began, so many batches of lines, it ended.

    {"kind": "begin", "run": "k3…", "name": "make", "at": 1790000000000}
    {"kind": "lines", "run": "k3…", "first": 1, "at": 1790000000012, "lines": [[0, 1, "text"], [3, 2, "text"]]}
    {"kind": "end", "run": "k3…", "at": …, "lines": 2, "code": 0, "signal": "", "cancelled": false, "unpublished": 0}

Each batch says which line is its first, so a reader can put batches where they belong, however it came by them, and
sees by itself what it has not got. Times are Unix milliseconds.
"""

from msgspec import Struct

STDOUT, STDERR = 1, 2


class Line(Struct, frozen=True, array_like=True, gc=False):
    """`after`: milliseconds after its batch's `at`; `stream`: 1 is stdout, 2 stderr. `goes_on` is 1 where it was too
    long and the next one of its stream is its continuation."""

    after: int
    stream: int
    text: str
    goes_on: int = 0


class Begun(Struct, frozen=True, tag="begin", tag_field="kind"):
    """The command runs. `name` is what people call it: arguments may hold secrets."""

    run: str
    name: str
    at: int


class Lines(Struct, frozen=True, tag="lines", tag_field="kind"):
    """Some of its lines, the first of them with the number `first`; a log begins with 1."""

    run: str
    first: int
    at: int
    lines: tuple[Line, ...]


class Ended(Struct, frozen=True, tag="end", tag_field="kind"):
    """It is over. `code` is its exit code, 128 and the signal's number where one ended it, as shells say it.
    `unpublished` are lines that the server refused for good."""

    run: str
    at: int
    lines: int
    code: int
    signal: str = ""
    cancelled: bool = False
    unpublished: int = 0


class Order(Struct, frozen=True):
    """What somebody may publish to a job's control channel: `cancel` asks it to end, `kill` ends it."""

    run: str
    do: str


class Status(Struct, frozen=True):
    """What a board is told of a job: once when it begins, once when it ends, and in between that it is alive."""

    run: str
    name: str
    state: str
    """`running`, `passed`, `failed` or `cancelled`."""

    channel: str
    """Where its log is."""

    control: str
    """Where it takes orders; empty: nowhere."""

    at: int
    """When this was said."""

    began: int
    ended: int = 0
    lines: int = 0
    code: int = 0
    signal: str = ""


def state_of(ended: Ended) -> str:
    """The state in which it ended."""
    if ended.cancelled:
        return "cancelled"
    return "passed" if ended.code == 0 else "failed"
