"""One channel as the client sees it: what it has received, and whether the server knows that it wants more."""

from enum import Enum, auto

from wirehop.codecs.json_lines import WirePublication
from wirehop.core.messages import ClientInfo, Command, Position, Stated, SubscribeRequest


class ClientSubscriptionState(Enum):
    WANTED = auto()  # the server is to be asked
    ASKED = auto()
    LIVE = auto()
    ENDED = auto()


class ClientSubscription:
    """`position` is what was received; None until the server has said where the channel stands. `members` are those of
    its presence, where joins and leaves are watched and it was read; `rev` the newest change of it that is known."""

    __slots__ = (
        "channel",
        "duplicates",
        "is_by_server",
        "join_leave",
        "members",
        "position",
        "rev",
        "state",
        "was_live",
    )

    def __init__(
        self, channel: str, *, position: Position | None = None, join_leave: bool = False, is_by_server: bool = False
    ) -> None:
        self.channel = channel
        self.position = position
        self.join_leave = join_leave
        self.is_by_server = is_by_server
        self.state = ClientSubscriptionState.WANTED
        self.duplicates = 0
        self.was_live = position is not None  # so that what comes next is a continuation
        self.members: dict[str, ClientInfo] | None = None
        self.rev = 0

    def request(self) -> SubscribeRequest:
        """What is asked: from the position, where there is one."""
        position = self.position
        return SubscribeRequest(
            channel=self.channel,
            recover=position is not None,
            epoch="" if position is None else position.epoch,
            offset=0 if position is None else position.offset,
            join_leave=self.join_leave,
        )

    def ask(self, command_id: int) -> Command:
        """The subscribe command."""
        self.state = ClientSubscriptionState.ASKED
        return Command(command_id, subscribe=self.request())

    @property
    def stated(self) -> Stated:
        """Where it stands, for a new wire of the session."""
        return Stated() if self.position is None else Stated(self.position.epoch, self.position.offset)

    def granted(self, *, epoch: str, offset: int, publications: list[WirePublication]) -> list[WirePublication]:
        """The server's result: what of its publications is new. The position moves as a whole, never its epoch alone,
        and within an epoch never back: another wire may have brought more already."""
        self.state = ClientSubscriptionState.LIVE
        fresh = []
        for publication in publications:
            if self.position is None or self.position.epoch != epoch or publication.offset > self.position.offset:
                fresh.append(publication)
            else:
                self.duplicates += 1
        self.was_live = True
        if self.position is None or self.position.epoch != epoch or offset > self.position.offset:
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
