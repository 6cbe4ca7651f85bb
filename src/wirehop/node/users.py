"""The users of one node: which sessions each of them has here, and what an application does to all of them at once.

A user's sessions are those with a wire, by their drivers, and those that wait for one (`Resumption`). Sessions of
somebody anonymous are reached by their client's id only.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from wirehop.core.codes import Code
from wirehop.core.effects import Grant
from wirehop.core.messages import Move, Position
from wirehop.node.driver import Driver

if TYPE_CHECKING:
    from wirehop.node.node import Node


class Users:
    """Each method counts the sessions that it has reached."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._drivers: dict[str, dict[Driver, None]] = {}

    def __len__(self) -> int:
        return len(self._drivers)

    def enter(self, driver: Driver) -> None:
        """A session knows its user now."""
        user = driver.session.user
        if user and driver.wire is not None:
            self._drivers.setdefault(user, {})[driver] = None

    def leave(self, driver: Driver) -> None:
        """Its wire is gone."""
        of_user = self._drivers.get(driver.session.user)
        if of_user is not None:
            of_user.pop(driver, None)
            if not of_user:
                del self._drivers[driver.session.user]

    def drivers(self, user: str, client: str) -> list[Driver]:
        """A user's sessions that have a wire; with `client` only that one (also of somebody anonymous)."""
        if not client:
            return list(self._drivers.get(user, ()))
        driver = self._node.sessions.get(client)
        return [driver] if driver is not None and driver.was_admitted and driver.session.user == user else []

    def subscribe(self, user: str, client: str, channel: str, grant: Grant, since: Position | None) -> int:
        """Subscribe them to a channel."""
        drivers = self.drivers(user, client)
        for driver in drivers:
            driver.subscribe(channel, grant, since)
        return len(drivers)

    def unsubscribe(self, user: str, client: str, channel: str, code: Code) -> int:
        """End their subscriptions to a channel."""
        drivers = [each for each in self.drivers(user, client) if channel in each.session.subscriptions]
        for driver in drivers:
            driver.unsubscribe(channel, code)
        waiting = [each.unsubscribe(channel, code) for each in self._node.resumption.detached_of(user, client)]
        return len({driver.session.client for driver in drivers}) + sum(waiting)

    def refresh(self, user: str, client: str, ttl: float) -> int:
        """Let them live `ttl` seconds from now."""
        drivers = self.drivers(user, client)
        for driver in drivers:
            driver.refresh(ttl)
        return len(drivers)

    def disconnect(self, user: str, client: str, code: Code, reason: str, whitelist: Collection[str]) -> int:
        """End them, but for the clients in `whitelist`."""
        drivers = [each for each in self.drivers(user, client) if each.session.client not in whitelist]
        found = {driver.session.client for driver in drivers}
        for driver in drivers:
            driver.end(code, reason)
        for lasting in self._node.resumption.detached_of(user, client):
            if lasting.resumable.client not in whitelist:
                lasting.end(code, reason)
                found.add(lasting.resumable.client)
        return len(found)

    def move(self, user: str, client: str, move: Move) -> int:
        """Ask them to go on over another wire."""
        return sum(self._node.resumption.move(driver, move) for driver in self.drivers(user, client))
