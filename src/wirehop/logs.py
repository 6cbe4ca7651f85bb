"""Logs on stdout: readable on a terminal, one JSON object a line elsewhere. A library must not choose its user's
logger, so only the command line calls `configure`."""

import logging
import re
import sys
import time
from typing import Literal

import msgspec

_FIELD = re.compile(r"\b(session|user|wire|code)=(\S+)")


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, and the fields session, user, wire and code where the message
    names them."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        entry: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        entry.update(_FIELD.findall(message))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry).decode()


def configure(form: Literal["auto", "text", "json"], level: str) -> None:
    """Send wirehop's logs to stderr."""
    is_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S") if is_text else JsonFormatter()
    )
    logger = logging.getLogger("wirehop")
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
