"""The Python client's machine repeats every vector exactly."""

import json
from pathlib import Path

import pytest

from wirehop.testing.vectors import Player

VECTORS = sorted((Path(__file__).parents[3] / "protocol" / "vectors").glob("*.json"))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_machine_repeats_the_vector(path: Path) -> None:
    vector = json.loads(path.read_text())
    player = Player(vector)
    for index, step in enumerate(vector["steps"]):
        outputs, deadline = player.play(step)
        assert (outputs, deadline) == (step["outputs"], step["deadline"]), f"step {index}: {step['do']}"


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 25
