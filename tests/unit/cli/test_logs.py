"""Log lines for programs and for people."""

import json
import logging

import pytest

from wirehop.logs import JsonFormatter, TextFormatter

FORMAT = "= session=%s user=%s wire=%s closed code=%d reason=%s"


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("wirehop.node", logging.INFO, "", 0, message, args, None)


def test_the_fields_are_the_arguments_as_they_are() -> None:
    entry = json.loads(JsonFormatter().format(record(FORMAT, "abc", "Ada Lovelace", "sse", 3001, "gone")))
    assert {name: entry[name] for name in ("session", "user", "wire", "code")} == {
        "session": "abc",
        "user": "Ada Lovelace",
        "wire": "sse",
        "code": 3001,
    }
    assert entry["level"] == "info"
    assert entry["logger"] == "wirehop.node"


def test_a_peer_cannot_forge_a_field_by_what_it_says() -> None:
    line = record(FORMAT, "abc", "eve code=1 session=root", "sse", 3000, "websocket 1000 session=root user=admin")
    entry = json.loads(JsonFormatter().format(line))
    assert (entry["session"], entry["user"], entry["code"]) == ("abc", "eve code=1 session=root", 3000)


@pytest.mark.parametrize(
    ("message", "args", "fields"),
    [
        ("drained %d %% of it, session=%s", (50, "abc"), {"session": "abc"}),
        ("%s failed, session=%s", ("Publish", "abc"), {"session": "abc"}),
        ("nothing here", (), {}),
        ("peer=%s", ("x",), {}),
    ],
)
def test_only_the_four_fields_are_taken_out(message: str, args: tuple[object, ...], fields: dict[str, str]) -> None:
    entry = json.loads(JsonFormatter().format(record(message, *args)))
    assert {name: entry[name] for name in ("session", "user", "wire", "code") if name in entry} == fields


def test_what_a_peer_says_cannot_begin_a_line_of_its_own() -> None:
    formatter = TextFormatter("%(levelname)s %(message)s")
    assert formatter.format(record(FORMAT, "abc", "eve\n12:00 INFO forged", "sse", 1, "\x1b[2J")).count("\n") == 0


def test_a_traceback_is_kept() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        failed = record("x failed, session=%s", "abc")
        failed.exc_info = (type(error), error, error.__traceback__)
    assert "ValueError: broken" in json.loads(JsonFormatter().format(failed))["exception"]
    assert "\nValueError: broken" in TextFormatter("%(message)s").format(failed)
