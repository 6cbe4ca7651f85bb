"""The log of what the TURN server refused: a line that names the rule, and not more of them than somebody can read."""

import logging
from collections import Counter
from typing import Final

from wirehop.rtc.pure.outputs import Refused

_LINES: Final = 10


class RefusalLog:
    """At most ten lines until the next `flush`; that one says what was left out, by rule."""

    __slots__ = ("_left_out", "_lines", "_log")

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lines = 0
        self._left_out: Counter[str] = Counter()

    def add(self, refused: Refused) -> None:
        """One refusal."""
        if self._lines >= _LINES:
            self._left_out[refused.rule] += 1
            return
        self._lines += 1
        path = refused.path
        self._log.info(
            "TURN refused by rule %s (%d): user=%s from %s port %d over %s: %s",
            refused.rule,
            refused.code,
            refused.username or "-",
            path.host,
            path.port,
            path.wire.upper(),
            refused.text or "-",
        )

    def flush(self) -> None:
        """A second is over."""
        for rule, count in self._left_out.items():
            self._log.info("TURN refused by rule %s: %d more", rule, count)
        self._left_out.clear()
        self._lines = 0
