"""Sessions that move, as a node keeps them: found by their tokens, driven on all their wires, ended when nobody comes.

A `Resumable` decides; a `Lasting` carries out what it says, beside the drivers of its wires. A session without a wire
holds no slot and no outbox: it is a record here, reached by disconnects, unsubscribes and revocations. Of those at most
`sessions.per_user` wait for one user and `sessions.waiting` in all; the oldest end first. (Not a share of the sessions
that there are: a network that blinks takes the wires of all of them at once.)
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from wirehop.auth.rights import Rights
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.effects import Admitted, TakeOver
from wirehop.core.handles import hashed
from wirehop.core.handover import HandedCopy, HandOver
from wirehop.core.messages import Move, Push, PushWh, Reply
from wirehop.core.resumable import Resumable
from wirehop.node.lasting import Lasting

if TYPE_CHECKING:
    from wirehop.node.driver import Driver
    from wirehop.node.node import Node

log = logging.getLogger("wirehop.node")
REDIRECTS = 10_000
"""Sessions that were handed over and are remembered, for a window each."""
OWNER_SECONDS = 3.0
"""How long another node may take to answer."""


class Moved(Struct, frozen=True):
    """The session is that node's now."""

    owner: str


class Owner(Protocol):
    """Another node, as far as sessions move between the two."""

    async def look(self, token: str, user: str, digest: bytes) -> HandedCopy | Moved | None:
        """The session that the token is of, for a trial at the caller, whose own token has the hash `digest`."""
        ...

    async def hand_over(self, client: str, attach: int, successor: str) -> HandOver | None:
        """The client has confirmed its wire at `successor`. None: it has confirmed a newer one elsewhere."""
        ...

    async def forward(self, client: str, reply: Reply) -> None:
        """The reply of a command that ran on at the caller after it had handed the session over."""
        ...


class Looked(Struct):
    """What another node has said of a session: its `owner`, and the token for the wire that will be on trial here."""

    owner: str
    copy: HandedCopy
    token: str


class Resumption:
    """All sessions of a node that move, by their public id."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._by_client: dict[str, Lasting] = {}
        self._detached: dict[Lasting, None] = {}  # the one that lost its wire first comes first
        self._of_user: dict[str, dict[Lasting, None]] = {}  # those of them that have a user
        self.owners: dict[str, Owner] = {}  # other nodes, by id
        self._handed: dict[str, tuple[str, float]] = {}  # sessions that another node has now, and until when we know

    def __len__(self) -> int:
        return len(self._by_client)

    @property
    def waiting(self) -> int:
        """How many have no wire."""
        return len(self._detached)

    def find(self, client: str) -> Lasting | None:
        """The session with this id."""
        return self._by_client.get(client)

    def all(self) -> list[Lasting]:
        """All of them."""
        return list(self._by_client.values())

    def detached_of(self, user: str, client: str = "") -> list[Lasting]:
        """A user's sessions that have no wire; with `client` only that one (also of somebody anonymous)."""
        if client:
            found = self._by_client.get(client)
            return [found] if found is not None and found in self._detached and found.resumable.user == user else []
        return list(self._of_user.get(user, ()))

    # ---- connect -----------------------------------------------------------------------------------------------------

    def join(self, driver: "Driver", admitted: Admitted) -> None:
        """A client whose session moves was let in: it goes on with the session of its token, or begins a new one."""
        node, session = self._node, driver.session
        wh = session.wants_to_move
        assert wh is not None
        looked, driver.looked = driver.looked, None
        lasting = self._shown(wh.token, admitted.user) if wh.token and looked is None else None
        token = ""
        if looked is not None:
            lasting, token = self._copied(looked, driver), looked.token
        is_resumed = lasting is not None
        if lasting is None:
            window = float(node.settings.sessions.window)
            resumable = Resumable(session.client, admitted.user, node.limits, window)
            lasting = self._by_client[session.client] = Lasting(node, resumable, driver)
        else:
            self._inherit(lasting, driver)
            lasting.resumable.acknowledge(wh.acked)
        token = token or f"{node.id}.{lasting.resumable.client}.{node.ids.new()}"
        session.join(lasting.resumable, token, node.clock.now(), is_resumed=is_resumed)
        driver.lasting = lasting
        lasting.drivers = (*lasting.drivers, driver)
        node.metrics.moves["resumed" if is_resumed else "unknown_token" if wh.token else "new"] += 1

    def _shown(self, token: str, user: str) -> Lasting | None:
        parts = token.split(".")
        lasting = self._by_client.get(parts[1]) if len(parts) == 3 else None
        if lasting is None or lasting.resumable.is_over or lasting.resumable.user != user:
            return None
        return lasting if lasting.resumable.handles.shown(token) else None

    @staticmethod
    def _inherit(lasting: Lasting, driver: "Driver") -> None:
        """What single subscriptions were granted goes with them; what the wire brings (token, ticket) is its own."""
        before = lasting.last.rights
        if before is not None and before.channels:
            if driver.rights is None:
                driver.rights = Rights()
            driver.rights.channels = {**before.channels, **(driver.rights.channels or {})}

    # ---- what happens to them ----------------------------------------------------------------------------------------

    def promoted(self, lasting: Lasting, driver: "Driver", *, detaches: bool) -> None:
        """The driver's wire is current now."""
        node = self._node
        self._attach(lasting)
        if driver.wire is None:
            return  # its client said goodbye in the same breath: it is forgotten already
        self._inherit(lasting, driver)
        node.sessions.pop(driver.key, None)
        driver.key = lasting.resumable.client
        node.sessions[driver.key] = driver
        node.metrics.moves["moved" if not detaches else "came_back"] += 1

    def detached(self, lasting: Lasting) -> None:
        """It has no wire: it waits, unless too many do."""
        node, user = self._node, lasting.resumable.user
        self._detached[lasting] = None
        if user:
            of_user = self._of_user.setdefault(user, {})
            of_user[lasting] = None
            if len(of_user) > node.settings.sessions.per_user:
                self._evict(next(iter(of_user)))
        if len(self._detached) > node.settings.sessions.waiting:
            self._evict(next(iter(self._detached)))

    def _evict(self, lasting: Lasting) -> None:
        self._node.metrics.dropped["waiting_session"] += 1
        self._node.soon(lambda: lasting.end(codes.CLOSED, "too many sessions wait for a wire"))

    def _attach(self, lasting: Lasting) -> None:
        if self._detached.pop(lasting, ...) is ...:
            return
        of_user = self._of_user.get(lasting.resumable.user)
        if of_user is not None:
            of_user.pop(lasting, None)
            if not of_user:
                del self._of_user[lasting.resumable.user]

    def forget(self, lasting: Lasting, code: Code, reason: str, *, is_elsewhere: bool = False) -> None:
        """It is over for good, or (`is_elsewhere`) another node's."""
        self._attach(lasting)
        self._by_client.pop(lasting.resumable.client, None)
        self._node.wheel.dismiss(lasting)
        if is_elsewhere:
            return
        log.info(
            "= session=%s user=%s ended code=%d reason=%s",
            lasting.resumable.client, lasting.resumable.user or "-", code.number, reason,
        )  # fmt: skip
        self._node.effects.disconnected(lasting.last, code.number, reason)

    # ---- between nodes -----------------------------------------------------------------------------------------------

    def knows(self, token: str) -> bool:
        """Whether no other node has to be asked about the token."""
        return not self.owners or token.partition(".")[0] not in self.owners

    async def look_elsewhere(self, token: str, user: str) -> Looked | None:
        """What the owner of the token says; None where it is this node, or no node answers."""
        node, owner = self._node, token.partition(".")[0]
        parts = token.split(".")
        for _ in range(3):  # it may have been handed on meanwhile
            asked = self.owners.get(owner)
            if asked is None or len(parts) != 3:
                return None
            fresh = f"{node.id}.{parts[1]}.{node.ids.new()}"
            try:
                async with asyncio.timeout(OWNER_SECONDS):
                    found = await asked.look(token, user, hashed(fresh))
            except (TimeoutError, OSError):
                node.metrics.errors["owner"] += 1
                return None
            if not isinstance(found, Moved):
                return None if found is None else Looked(owner, found, fresh)
            owner = found.owner
        return None

    def _copied(self, looked: Looked, driver: "Driver") -> Lasting:
        """The copy of another node's session, for one more trial."""
        node, now = self._node, self._node.clock.now()
        known = self._by_client.get(looked.copy.client)
        if known is not None and known.resumable.origin is not None:
            known.resumable.ownership.renew(looked.copy, now)
            return known
        resumable = Resumable.copied(looked.copy, looked.owner, node.limits, now)
        lasting = self._by_client[looked.copy.client] = Lasting(node, resumable, driver)
        return lasting

    async def take_over(self, request: TakeOver) -> HandOver | None:
        """Ask the owner for its session."""
        asked = self.owners.get(request.owner)
        if asked is None:
            return None
        try:
            async with asyncio.timeout(OWNER_SECONDS):
                over = await asked.hand_over(request.client, request.attach, self._node.id)
        except (TimeoutError, OSError):
            self._node.metrics.errors["owner"] += 1
            return None
        if over is not None:
            self._handed.pop(request.client, None)
        return over

    async def forward_to(self, successor: str, client: str, reply: Reply) -> None:
        """Tell the new owner a reply; where it cannot be reached, its client gets 120."""
        owner = self.owners.get(successor)
        if owner is None:
            self._node.metrics.dropped["forwarded_reply"] += 1
        else:
            await owner.forward(client, reply)

    async def look(self, token: str, user: str, digest: bytes) -> HandedCopy | Moved | None:
        """`Owner`: asked by another node."""
        now = self._node.clock.now()
        parts = token.split(".")
        handed = self._handed.get(parts[1]) if len(parts) == 3 else None
        if handed is not None and handed[1] > now:
            return Moved(handed[0])
        lasting = self._shown(token, user)
        if lasting is None or lasting.resumable.origin is not None:
            return None if lasting is None else Moved(lasting.resumable.origin.owner)  # type: ignore[union-attr]
        copy = lasting.resumable.ownership.copy_for(digest, now)
        lasting.run()
        return copy

    async def hand_over(self, client: str, attach: int, successor: str) -> HandOver | None:
        """`Owner`: asked by another node."""
        lasting, now = self._by_client.get(client), self._node.clock.now()
        if lasting is None or lasting.resumable.origin is not None:
            return None
        over = lasting.resumable.ownership.hand_over(attach, now)
        if over is not None:
            lasting.successor = successor
            while len(self._handed) >= REDIRECTS or (self._handed and next(iter(self._handed.values()))[1] <= now):
                del self._handed[next(iter(self._handed))]
            self._handed.pop(client, None)
            self._handed[client] = (successor, now + lasting.resumable.wires.window)
        lasting.run()
        return over

    async def forward(self, client: str, reply: Reply) -> None:
        """`Owner`: asked by another node."""
        lasting = self._by_client.get(client)
        if lasting is not None:
            lasting.resumable.ownership.forwarded(reply)
            lasting.run()

    # ---- what the node asks ------------------------------------------------------------------------------------------

    def move(self, driver: "Driver", move: Move) -> bool:
        """Ask a session to move; False where it cannot."""
        if driver.lasting is None or driver.session.is_trial:
            return False
        driver.pushed(Push(wh=PushWh(move=move)))
        return True

    def end_all(self, code: Code) -> None:
        """End those that have no wire: the node stops."""
        for lasting in self.all():
            lasting.end(code)
