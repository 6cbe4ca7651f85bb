"""Where figures are entered while measuring: each with its method, the machine or browser, and the day."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from wirehop.bench.run import Machine
from wirehop.lab.measure.samples import Interval
from wirehop.measured import Figure, Profile

DIGITS: Final = 4
"""That count; more would be noise."""


def rounded(value: float) -> float:
    """As many digits as mean something."""
    return float(f"{value:.{DIGITS}g}")


class Notebook:
    """Figures by name. `where`: the machine in a few words."""

    def __init__(self, machine: Machine, facts: Mapping[str, str]) -> None:
        self.where = f"{machine.processor}, {machine.cores} cores, Python {machine.python}, wirehop {machine.version}"
        self.date = datetime.now(UTC).date().isoformat()
        self.facts = dict(facts)
        self.figures: dict[str, Figure] = {}

    def enter(
        self,
        name: str,
        value: float | Interval,
        unit: str = "",
        *,
        samples: int = 0,
        method: str = "",
        where: str = "",
    ) -> None:
        """A figure; one with an interval has bounds."""
        at = value if isinstance(value, Interval) else None
        self.figures[name] = Figure(
            rounded(value.value if isinstance(value, Interval) else value),
            unit,
            samples,
            rounded(at.low) if at else None,
            rounded(at.high) if at else None,
            method=method,
            where=where or self.where,
            date=self.date,
        )

    def profile(self) -> Profile:
        """All that was entered, by name."""
        return Profile(self.facts, dict(sorted(self.figures.items())))
