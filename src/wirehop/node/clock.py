"""The real clock and the real source of identifiers."""

import secrets
import time


class SystemClock:
    """Implements `abc.Clock`."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


class SecretIds:
    """Implements `abc.Ids`: 128 random bits, 22 URL-safe characters."""

    def new(self) -> str:
        return secrets.token_urlsafe(16)
