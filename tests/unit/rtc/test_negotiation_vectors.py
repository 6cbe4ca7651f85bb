"""The Python machine of a negotiation repeats every vector exactly."""

import json
from pathlib import Path

import pytest

from wirehop.testing.rtc_vectors import NegotiationPlayer

VECTORS = sorted((Path(__file__).parents[3] / "protocol" / "vectors" / "rtc").glob("*.json"))
FOLLOWS = ("outputs", "deadline", "state", "dropped")


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_machine_repeats_the_vector(path: Path) -> None:
    vector = json.loads(path.read_text())
    player = NegotiationPlayer(vector)
    for index, step in enumerate(vector["steps"]):
        assert player.play(step) == {what: step[what] for what in FOLLOWS}, f"step {index}: {step['do']}"


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 25
