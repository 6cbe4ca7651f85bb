"""The race's messages: interleaved, numbered, and stamped with the time that was intended."""

import time
from collections import Counter
from itertools import pairwise

import pytest

from wirehop.lab import race
from wirehop.lab.race import Race, turns

ONE = Race("a1", ("websocket", "sse", "long-poll"), count=30, rate=100.0, size=100, warm=3)


def test_every_wire_gets_every_number_once_and_in_order() -> None:
    for wire in ONE.wires:
        assert [turn.number for turn in turns(ONE) if turn.wire == wire] == list(range(-3, 30))


def test_the_wires_take_turns_evenly_and_none_is_always_the_first() -> None:
    plan = list(turns(ONE))
    gaps = [after.offset - before.offset for before, after in pairwise(plan)]
    assert gaps == pytest.approx([1 / 300] * len(gaps))
    first = Counter(turn.wire for turn in plan[::3])
    assert set(first.values()) == {11}


@pytest.mark.parametrize(
    "wrong",
    [Race("", ("sse",)), Race("a b", ("sse",)), Race("a", ()), Race("a", ("sse", "sse")), Race("a", ("sse",), count=0),
     Race("a", ("sse",), count=10**6), Race("a", ("sse",), rate=0.1), Race("a", ("sse",), rate=1e6),
     Race("a", ("sse",), size=10**6), Race("a", ("sse",), warm=-1)],
)  # fmt: skip
def test_what_is_too_much_says_why(wrong: Race) -> None:
    assert wrong.problem()
    assert not ONE.problem()


@pytest.mark.asyncio
async def test_messages_carry_the_intended_time_and_nothing_is_sent_before_it() -> None:
    sent: list[tuple[float, str, dict[str, object]]] = []

    async def publish(channel: str, data: object) -> None:
        assert isinstance(data, dict)
        sent.append((time.monotonic() * 1000, channel, data))

    await race.run(ONE, publish)
    assert len(sent) == 3 * 33
    times = [float(str(data["at"])) for _, _, data in sent]
    assert [after - before for before, after in pairwise(times)] == pytest.approx([10 / 3] * 98, abs=0.02)
    assert all(now >= at - 1 for (now, _, _), at in zip(sent, times, strict=True))
    assert all(float(str(data["late"])) >= 0 for _, _, data in sent)
    assert {channel for _, channel, _ in sent} == {f"lab-race:a1-{wire}" for wire in ONE.wires}
