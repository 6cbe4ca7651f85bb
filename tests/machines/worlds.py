"""The small worlds that the walks go through: one channel, one client, a broker, and everything that can go wrong
between them."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from wirehop.client.states import ClientState
from wirehop.core.limits import Limits
from wirehop.core.slot import NOT_LIVE, SlotState
from wirehop.testing.pair import Pair

CHANNEL = "c"


class ChannelWorld:
    """A client that subscribes at once. `budget` says how often each kind of trouble may happen on a path."""

    def __init__(
        self, *, delivery: str = "log", log_size: int = 10, limits: Limits | None = None, **budget: int
    ) -> None:
        self.pair = Pair(delivery=delivery, log_size=log_size, limits=limits)
        self.delivery = delivery
        self.budget = Counter(budget)
        self.number = 0
        self.restarts = 0
        self.losses = 0
        self.pair.subscribe(CHANNEL)

    # ---- what can happen ---------------------------------------------------------------------------------------------

    def choices(self) -> Sequence[str]:
        pair, node = self.pair, self.pair.node
        found = []
        if self.budget["publish"]:
            found.append("publish")
        if pair.broker.to_node:
            found.append("hear")
        if node.has_flush:
            found.append("flush")
        found += [f"read {index}" if node.wants_read(index) else f"answer {index}" for index in range(len(node.calls))]
        if pair.link is not None and pair.link.up:
            found.append("up")
        if pair.link is not None and pair.link.down:
            found.append("down")
        wire = pair.wire
        is_up = wire is not None and pair.link is not None and pair.link.is_open
        if self.budget["cut"] and is_up:
            found.append("cut")
        if pair.client.state is ClientState.WAITING:
            found.append("reconnect")
        if is_up and wire is not None and self.budget["pause"] and not wire.is_paused:
            found.append("pause")
        if is_up and wire is not None and wire.is_paused:
            found.append("resume")
        if self.budget["restart"]:
            found.append("restart")
        if self.budget["lose"] and pair.broker.to_node:
            found.append("lose")
        return found

    def do(self, choice: str) -> None:
        pair, node = self.pair, self.pair.node
        self.budget[choice] -= 1
        match choice.split():
            case ["publish"]:
                self.number += 1
                pair.publish(CHANNEL, self.number, key=f"k{self.number % 2}")
            case ["hear"]:
                node.hear()
            case ["flush"]:
                node.flush()
            case ["read", index]:
                node.read(int(index))
            case ["answer", index]:
                node.answer(int(index))
            case ["up"]:
                assert pair.link is not None
                pair.link.up.deliver()
            case ["down"]:
                assert pair.link is not None
                pair.link.down.deliver()
            case ["cut"]:
                pair.cut()
            case ["reconnect"]:
                pair.reconnect()
            case ["pause"]:
                assert pair.wire is not None
                pair.wire.pause()
            case ["resume"]:
                assert pair.wire is not None
                pair.wire.resume()
            case ["restart"]:
                self.restarts += 1
                pair.broker.restart()
            case ["lose"]:
                self.losses += 1
                pair.broker.to_node.popleft()

    def settle(self) -> None:
        """Only where the broker itself lost something do nodes need to compare tops to notice."""
        self.pair.settle(compares_tops=self.restarts > 0 or self.losses > 0)

    # ---- what must hold ----------------------------------------------------------------------------------------------

    def runs(self) -> list[list[tuple[str, int]]]:
        """What the application saw, cut where it was told that something is missing."""
        runs: list[list[tuple[str, int]]] = [[]]
        for item in self.pair.delivered.get(CHANNEL, []):
            if item is None:
                runs.append([])
            else:
                runs[-1].append(item)
        return runs

    def check(self) -> None:
        for run in self.runs():
            for before, after in pairwise(run):
                if self.delivery == "signal":
                    continue
                assert after[0] == before[0], f"the epoch changed from {before} to {after} without a word"
                assert after[1] > before[1], f"{after} after {before}: twice, or out of order"
                if self.delivery == "log":
                    assert after[1] == before[1] + 1, f"{after} after {before}: a gap without a word"
        seen = [item for run in self.runs() for item in run]
        if self.delivery == "log":
            assert len(seen) == len(set(seen)), f"delivered twice: {seen}"
        wire = self.pair.wire
        if wire is not None:
            for subscription in wire.session.subscriptions.values():
                slot = subscription.slot
                if slot is not None:
                    assert (slot.next == NOT_LIVE) == (slot.state is not SlotState.LIVE), (
                        f"{slot.state} next={slot.next}"
                    )

    def check_at_rest(self) -> None:
        """Completeness: what was published since the client was last told where it stands has arrived."""
        client = self.pair.client
        assert client.state is ClientState.CONNECTED, f"at rest the client is {client.state}"
        subscription = client.subscriptions.get(CHANNEL)
        assert subscription is not None, "the subscription is gone"
        assert subscription.position is not None, "the client does not know where it stands"
        log = self.pair.broker.log(CHANNEL)
        top = log.position
        assert subscription.position == top, f"at rest the client stands at {subscription.position}, the log at {top}"
        last = self.runs()[-1]
        if self.delivery == "log" and last:
            assert last[-1] == (top.epoch, top.offset), f"the last publication seen is {last[-1]}, the top is {top}"


class RecoveringWorld(ChannelWorld):
    """The same, begun where it is interesting: the client was live at offset 1, was cut, and is about to come back."""

    def __init__(self, **options: int) -> None:
        super().__init__(**options)
        self.pair.settle()
        self.number = 1
        self.pair.publish(CHANNEL, 1, key="k1")
        self.pair.settle()
        self.pair.cut()
        self.pair.reconnect()
