"""Logs on stderr: readable on a terminal, one JSON object a line elsewhere. A library must not choose its user's
logger, so only the command line calls `configure`."""

import logging
import re
import sys
import time
from typing import Literal

import msgspec

FIELDS = frozenset({"session", "user", "wire", "code"})
_DIRECTIVE = re.compile(r"(?:\b(\w+)=)?%(?:%|[-#0 +]*\d*(?:\.\d+)?[a-z])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """The arguments that stand behind `session=`, `user=`, `wire=` and `code=` in the record's format. They are read
    there and not in the finished text: a close reason or a user's name may hold anything, `session=` too."""
    if not isinstance(record.args, tuple):
        return {}
    names = [match[1] or "" for match in _DIRECTIVE.finditer(str(record.msg)) if not match[0].endswith("%%")]
    return {name: value for name, value in zip(names, record.args, strict=False) if name in FIELDS}


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, and the fields session, user, wire and code where the message
    names them.
    """

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update(fields_of(record))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry, enc_hook=str).decode()


class TextFormatter(logging.Formatter):
    """One line for people, and a traceback below it where there is one. What a client sent cannot begin a line of its
    own.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = _CONTROL.sub(lambda found: repr(found[0])[1:-1], record.message)
        return super().formatMessage(record)


def configure(form: Literal["auto", "text", "json"], level: str) -> None:
    """Send wirehop's logs to stderr."""
    is_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    text = TextFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(text if is_text else JsonFormatter())
    logger = logging.getLogger("wirehop")
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
