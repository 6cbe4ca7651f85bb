"""Every interleaving of subscribing, publishing, catching up, losing the wire and losing the log, in a small scope."""

from collections.abc import Callable

import pytest
from worlds import ChannelWorld, RecoveringWorld

from wirehop.client.subscription import ClientSubscription
from wirehop.core.limits import Limits
from wirehop.core.messages import Position
from wirehop.core.slot import Slot
from wirehop.testing.walker import Fault, replay, walk

WALKS = {
    "subscribe and publish": (lambda: ChannelWorld(publish=2), 12),
    "recover while publications arrive": (lambda: RecoveringWorld(publish=2), 12),
    "the wire is cut again": (lambda: RecoveringWorld(publish=1, cut=1), 11),
    "the log is lost": (lambda: RecoveringWorld(publish=1, restart=1), 11),
    "the log is short": (lambda: RecoveringWorld(publish=2, log_size=1), 11),
    "the wire is full": (lambda: RecoveringWorld(publish=2, pause=1), 8),
    "the wire is full and the log is short": (lambda: RecoveringWorld(publish=2, pause=1, log_size=1), 8),
    "the broker loses a publication": (lambda: RecoveringWorld(publish=2, lose=1), 10),
    "pages of one": (lambda: RecoveringWorld(publish=2, pause=1, limits=Limits(page_publications=1)), 8),
    "latest": (lambda: RecoveringWorld(publish=2, pause=1, delivery="latest"), 8),
    "latest, the log is lost": (lambda: RecoveringWorld(publish=1, restart=1, delivery="latest"), 11),
}


@pytest.mark.parametrize("name", WALKS)
def test_the_right_machines_pass_every_path(name: str, record_property: Callable[[str, object], None]) -> None:
    make, depth = WALKS[name]
    walked = walk(make, depth=depth)
    record_property("paths", walked.paths)
    print(f"{name}: {walked.paths} paths, {walked.steps} steps")
    assert walked.paths > 100


def test_the_walker_finds_a_slot_that_forgets_to_buffer_while_it_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slot, "_hear", lambda self, first, last, epoch: None)
    make, depth = WALKS["recover while publications arrive"]
    with pytest.raises(Fault) as caught:
        walk(make, depth=depth)
    print(caught.value)
    # the path is the proof: it fails when replayed, and passes with the right machine
    path = [choice for choice in caught.value.path if choice != "at rest"]
    monkeypatch.undo()
    world = replay(make, path)
    world.settle()
    world.check_at_rest()


def test_safety_alone_does_not_find_the_forgotten_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slot, "_hear", lambda self, first, last, epoch: None)
    monkeypatch.setattr(ChannelWorld, "check_at_rest", lambda self: None)
    make, depth = WALKS["recover while publications arrive"]
    walk(make, depth=depth)


def test_the_walker_finds_a_recovery_that_adopts_an_epoch_without_its_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    def adopt_epoch_only(self: ClientSubscription, epoch: str, offset: int) -> None:
        self.position = Position(epoch, offset if self.position is None else self.position.offset)

    monkeypatch.setattr(ClientSubscription, "adopt", adopt_epoch_only)
    make, depth = WALKS["the log is lost"]
    with pytest.raises(Fault) as caught:
        walk(make, depth=depth)
    print(caught.value)


def test_the_walker_finds_a_slot_that_goes_live_one_too_far(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Slot._go_live

    def one_too_far(self: Slot) -> list[object]:
        outputs = right(self)
        self.next += 1
        return outputs

    monkeypatch.setattr(Slot, "_go_live", one_too_far)
    with pytest.raises(Fault):
        walk(WALKS["subscribe and publish"][0], depth=12)


def test_the_walker_finds_a_server_that_lies_about_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wirehop.core.log.reaches", lambda since, *, top, oldest: since.offset <= top.offset)
    with pytest.raises(Fault):
        walk(WALKS["the log is lost"][0], depth=11)
