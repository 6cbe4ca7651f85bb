"""One channel as the client sees it: what it has received, and whether the server knows that it wants more."""

from enum import Enum, auto

from wirehop.codecs.json_lines import WirePublication
from wirehop.core.messages import Command, Position, SubscribeRequest


class ClientSubscriptionState(Enum):
    WANTED = auto()  # the server is to be asked
    ASKED = auto()
    LIVE = auto()
    ENDED = auto()


class ClientSubscription:
    """`position` is what was received; None until the server has said where the channel stands."""

    __slots__ = ("channel", "duplicates", "join_leave", "position", "state", "was_live")

    def __init__(self, channel: str, *, position: Position | None = None, join_leave: bool = False) -> None:
        self.channel = channel
        self.position = position
        self.join_leave = join_leave
        self.state = ClientSubscriptionState.WANTED
        self.duplicates = 0
        self.was_live = position is not None  # so that what comes next is a continuation

    def ask(self, command_id: int) -> Command:
        """The subscribe command: from the position, where there is one."""
        self.state = ClientSubscriptionState.ASKED
        position = self.position
        return Command(
            command_id,
            subscribe=SubscribeRequest(
                channel=self.channel,
                recover=position is not None,
                epoch="" if position is None else position.epoch,
                offset=0 if position is None else position.offset,
                join_leave=self.join_leave,
            ),
        )

    def granted(self, *, epoch: str, offset: int, publications: list[WirePublication]) -> list[WirePublication]:
        """The server's result: what of its publications is new. The position moves as a whole, never its epoch
        alone."""
        self.state = ClientSubscriptionState.LIVE
        fresh = []
        for publication in publications:
            if self.position is None or self.position.epoch != epoch or publication.offset > self.position.offset:
                fresh.append(publication)
            else:
                self.duplicates += 1
        self.was_live = True
        self.adopt(epoch, offset)
        return fresh

    def adopt(self, epoch: str, offset: int) -> None:
        """Take the server's word for where this client stands now."""
        if epoch:
            self.position = Position(epoch, offset)

    def received(self, publication: WirePublication) -> bool:
        """A live publication: True if it is new. One without an offset has no place and is always new."""
        if publication.offset == 0 or self.position is None:
            return True
        if publication.offset <= self.position.offset:
            self.duplicates += 1
            return False
        self.position = Position(self.position.epoch, publication.offset)
        return True
