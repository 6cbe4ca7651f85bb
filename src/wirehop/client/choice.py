"""Which kind of wire is tried next: by what was seen of each, in the order in which the application names them.

A kind that fails to connect twice, or that goes silent, yields to the next one; where all have failed it starts from
the first again. It does no I/O.
"""

from collections.abc import Sequence

from msgspec import Struct

FAILURES = 2
"""In a row, after which the next kind is tried."""


class WireReport(Struct):
    """What was seen of one kind of wire. `connect_seconds`: the last time it took to connect; None: it never did."""

    name: str
    opened: int = 0
    connected: int = 0
    failed: int = 0
    silent: int = 0
    connect_seconds: float | None = None
    last_reason: str = ""


class Choice:
    """The machine. `why` says in words why the last one was chosen."""

    def __init__(self, names: Sequence[str]) -> None:
        if not names:
            raise ValueError("name at least one kind of wire")
        self.why = ""
        self._names = tuple(names)
        self._reports = {name: WireReport(name) for name in names}
        self._in_a_row = dict.fromkeys(names, 0)

    def report(self) -> list[WireReport]:
        """What was seen, by kind."""
        return list(self._reports.values())

    def pick(self, to: Sequence[str], *, besides: str) -> str:
        """The next one: of those in `to`, where there are such; another one than `besides` (the current one), if that
        is not empty."""
        wished = [name for name in to if name in self._names]
        others = [name for name in self._names if name != besides]
        if wished:
            name, self.why = wished[0], "it was asked for"
        elif besides and others:
            name, self.why = min(others, key=self._in_a_row.__getitem__), f"another one than {besides}"
        else:
            good = [each for each in self._names if self._in_a_row[each] < FAILURES]
            if not good:
                self._in_a_row = dict.fromkeys(self._names, 0)
            name = good[0] if good else self._names[0]
            failed = self._names[: self._names.index(name)]
            self.why = f"{', '.join(failed)} failed" if failed else "it comes first"
        self._reports[name].opened += 1
        return name

    def connected(self, name: str, seconds: float) -> None:
        """A wire has brought its connect result."""
        report = self._reports[name]
        report.connected += 1
        report.connect_seconds = seconds
        self._in_a_row[name] = 0

    def failed(self, name: str, reason: str) -> None:
        """A wire has ended before it brought a connect result."""
        report = self._reports[name]
        report.failed += 1
        report.last_reason = reason
        self._in_a_row[name] += 1

    def silent(self, name: str) -> None:
        """A wire that was connected brought nothing any more, and nobody said so: it is not tried again at once."""
        self._reports[name].silent += 1
        self._reports[name].last_reason = "silence"
        self._in_a_row[name] = FAILURES
