"""The real clock and the real source of identifiers."""

import os
import time
from binascii import b2a_base64


class SystemClock:
    """Implements `abc.Clock`."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


_LENGTH = 22  # characters of 6 bits each
_AT_ONCE = 64


class SecretIds:
    """Implements `abc.Ids`: 132 random bits, 22 URL-safe characters.

    The kernel is asked for many at a time. A forked process asks anew: no two processes hand out the same.
    """

    def __init__(self) -> None:
        self._pool: list[str] = []
        self._process = 0

    def new(self) -> str:
        if not self._pool or self._process != os.getpid():
            self._process = os.getpid()
            drawn = os.urandom(_LENGTH * _AT_ONCE * 6 // 8)
            text = b2a_base64(drawn, newline=False).decode().translate(_URL_SAFE)
            self._pool = [text[start : start + _LENGTH] for start in range(0, len(text), _LENGTH)]
        return self._pool.pop()


_URL_SAFE = str.maketrans("+/", "-_")
