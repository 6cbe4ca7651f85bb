"""Histories of a server that does everything right, drawn from a list of numbers, and the defects to put into one."""

from msgspec import Struct

from wirehop.checker.adapter import Dropped, Joined, Left, Opened, Received, Subscribed
from wirehop.checker.history import EVERYBODY, Acknowledged, Called, Closed, Entry, Failed, History, Restarted, What

CHANNEL = "check"
OPS = ("publish", "publish", "take", "take", "take", "return", "gap", "restart", "move", "unknown")


class Told(Struct):
    """An entry, with how the client came by it: live, in a recovery, or otherwise."""

    client: int
    entry: Entry
    how: str = ""


class Simulation:
    """`has_positions`: the server tells (epoch, offset)."""

    def __init__(self, clients: int, *, has_positions: bool = True) -> None:
        self.told: list[Told] = []
        self.log: list[tuple[str, int, int]] = []
        self.has_positions = has_positions
        self._at = 0.0
        self._epoch = 1
        self._number = 0
        self._next = dict.fromkeys(range(clients), 0)
        self._who = {client: f"s{client}" for client in range(clients)}
        for client in range(clients):
            self._tell(client, Opened("websocket", self._who[client]))
            self._tell(client, Subscribed(CHANNEL, None, *self._place(-1)))
        for client in range(clients):
            for other in range(clients):
                self._tell(client, Joined(CHANNEL, self._who[other]))

    def _tell(self, client: int, what: What, how: str = "") -> None:
        self._at += 0.01
        self.told.append(Told(client, Entry(self._at, what), how))

    def _place(self, index: int) -> tuple[str, int]:
        if not self.has_positions:
            return "", 0
        if index < 0:
            return f"e{self._epoch}", sum(epoch == f"e{self._epoch}" for epoch, _, _ in self.log)
        return self.log[index][:2]

    def step(self, op: str, client: int) -> None:
        """One thing that happens."""
        client %= len(self._next)
        getattr(self, f"_{op}")(client)

    def _publish(self, client: int, *, is_known: bool = True) -> None:
        self._number += 1
        self._tell(client, Called(CHANNEL, self._number))
        offset = 1 + sum(epoch == f"e{self._epoch}" for epoch, _, _ in self.log)
        self.log.append((f"e{self._epoch}", offset, self._number))
        if is_known:
            self._tell(client, Acknowledged(CHANNEL, self._number, *self._place(len(self.log) - 1)))
        else:
            self._tell(client, Failed(CHANNEL, self._number, is_unknown=True))

    def _unknown(self, client: int) -> None:
        self._publish(client, is_known=False)

    def _take(self, client: int, how: str = "live") -> None:
        index = self._next[client]
        if index < len(self.log):
            self._next[client] += 1
            self._tell(client, Received(CHANNEL, self.log[index][2], *self._place(index)), how)

    def _return(self, client: int) -> None:
        self._tell(client, Dropped("cut"))
        self._tell(client, Opened("sse", self._who[client], is_resumed=True))
        self._tell(client, Subscribed(CHANNEL, True, *self._place(-1)), "recovered")
        while self._next[client] < len(self.log):
            self._take(client, "recovery")

    def _move(self, client: int) -> None:
        self._tell(client, Opened("sse", self._who[client], is_resumed=True))
        self._take(client)

    def _gap(self, client: int) -> None:
        self._tell(client, Dropped("tunnel"))
        self._next[client] = len(self.log)
        self._tell(client, Opened("stream", self._who[client], is_resumed=True))
        self._tell(client, Subscribed(CHANNEL, False, *self._place(-1)), "gap")

    def _restart(self, _client: int) -> None:
        self._tell(EVERYBODY, Restarted(is_back=False))
        for client in self._next:
            self._tell(client, Dropped("restart"))
        self._epoch += 1
        self._tell(EVERYBODY, Restarted(is_back=True))
        for client in self._next:
            for other in self._next:
                self._tell(client, Left(CHANNEL, self._who[other]))
        for client in self._next:
            self._who[client] = f"s{client}.{self._epoch}"
            self._next[client] = len(self.log)
            self._tell(client, Opened("websocket", self._who[client]))
            self._tell(client, Subscribed(CHANNEL, False, *self._place(-1)), "restart")

    def finish(self) -> None:
        """At rest: everybody has everything; then they go."""
        for client in self._next:
            while self._next[client] < len(self.log):
                self._take(client)
        for client, who in self._who.items():
            self._tell(client, Closed())
            for other in range(client + 1, len(self._next)):
                self._tell(other, Left(CHANNEL, who))

    def history(self, told: list[Told] | None = None) -> History:
        """As the checker has it."""
        history = History()
        for each in self.told if told is None else told:
            history.add(each.entry.at, each.client, each.entry.what)
        return history

    def places(self, how: str, kind: type = Received) -> list[int]:
        """Where in `told` a client was told so."""
        return [place for place, each in enumerate(self.told) if each.how == how and isinstance(each.entry.what, kind)]

    def is_acknowledged(self, place: int) -> bool:
        """Whether the server has said that it has the publication."""
        what = self.told[place].entry.what
        return isinstance(what, Received) and any(
            isinstance(each.entry.what, Acknowledged) and each.entry.what.number == what.number for each in self.told
        )

    def next_of(self, place: int) -> int | None:
        """The next publication that the same client was told of, or what else it heard of the channel."""
        client = self.told[place].client
        for later in range(place + 1, len(self.told)):
            each = self.told[later]
            if each.client == client and isinstance(each.entry.what, Received | Subscribed):
                return later
        return None
