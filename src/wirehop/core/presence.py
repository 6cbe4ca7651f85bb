"""Who is in one channel: members by client id, and a revision that counts the changes.

A pure set. It does not know where members are or who is told.
"""

from wirehop.core.messages import ClientInfo


class PresenceSet:
    """Members of one channel. `rev` rises by one with every join and every leave, and never falls."""

    __slots__ = ("_members", "_users", "rev")

    def __init__(self) -> None:
        self.rev = 0
        self._members: dict[str, ClientInfo] = {}
        self._users: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._members)

    def enter(self, info: ClientInfo) -> bool:
        """Add the member or replace what is known of it; True if it is new (a join)."""
        old = self._members.get(info.client)
        self._members[info.client] = info
        if old is not None:
            if old.user != info.user:
                self._forget_user(old.user)
                self._users[info.user] = self._users.get(info.user, 0) + 1
            return False
        self._users[info.user] = self._users.get(info.user, 0) + 1
        self.rev += 1
        return True

    def leave(self, client: str) -> ClientInfo | None:
        """Remove the member; what was known of it, or None if it was not there."""
        info = self._members.pop(client, None)
        if info is not None:
            self._forget_user(info.user)
            self.rev += 1
        return info

    def members(self) -> dict[str, ClientInfo]:
        """A copy: client id → who."""
        return dict(self._members)

    def counts(self) -> tuple[int, int]:
        """Number of clients and number of distinct users (anonymous ones, user "", count as one)."""
        return len(self._members), len(self._users)

    def _forget_user(self, user: str) -> None:
        self._users[user] -= 1
        if not self._users[user]:
            del self._users[user]
