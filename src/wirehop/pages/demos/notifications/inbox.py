"""One person's notices: grouped, bounded, and with one truth about what was seen, read and done.

Each method that changes something gives the `Change` that all devices have to hear of. It knows no channels and no
clock: moments are arguments.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.pages.demos.notifications.notice import (
    GROUPED,
    MOST_ACTORS,
    Change,
    Counts,
    Digest,
    Event,
    Notice,
    Settings,
    State,
    Topic,
)

MOST_NOTICES: Final = 100
"""One too many, and the oldest that is archived goes, else the oldest that is read, else the oldest."""

DIGEST_LEAST: Final = 3
"""Fewer are no digest: they stand in the inbox."""


class Inbox:
    """The notices, oldest first."""

    def __init__(self) -> None:
        self.revision = 0
        self.settings = Settings()
        self.digest: Digest | None = None
        self.counts = Counts()
        self._notices: dict[str, Notice] = {}
        self._held: dict[str, int] = {}  # came unheard, with its moment: for the digest
        self._last = 0

    @property
    def notices(self) -> tuple[Notice, ...]:
        """All that are kept, oldest first."""
        return tuple(self._notices.values())

    def add(self, event: Event, at: int, *, is_away: bool = False, state: State = "unseen") -> Change | None:
        """Something has happened; None if it is not to be told. `is_away`: nobody is there to hear of it."""
        self.counts.received += 1
        attention = self.settings.attention(event.topic)
        if attention == "off":
            self.counts.off += 1
            return None
        is_quiet = self.settings.is_quiet(at)
        known = self._group(event) if event.topic in GROUPED else None
        silent = attention == "inbox" or is_quiet
        if known is None:
            self._last += 1
            notice = Notice(
                f"n{self._last}", event.topic, event.item, event.title, (event.actor,), at,
                text=event.text, actions=event.actions, state=state, silent=silent,
            )  # fmt: skip
        else:
            del self._notices[known.id]  # it becomes the newest
            notice = _joined(known, event, at, silent=silent)
        self._notices[notice.id] = notice
        if is_away or is_quiet:
            self._held.setdefault(notice.id, at)
        return self._changed(notice, gone=self._forget())

    def set(self, states: Mapping[str, State]) -> Change | None:
        """Give these notices their states; None where nothing is new. Those that are forgotten stay it."""
        changed: list[Notice] = []
        for id_, state in states.items():
            notice = self._notices.get(id_)
            if notice is not None and notice.state != state:
                self._notices[id_] = structs.replace(notice, state=state)
                changed.append(self._notices[id_])
        return self._changed(*changed) if changed else None

    def answer(self, id_: str, action: str) -> tuple[Notice, Change | None]:
        """Take one of the notice's actions, once; None where it was taken before."""
        notice = self._notices.get(id_)
        if notice is None or action not in notice.actions:
            raise Refused(codes.BAD_REQUEST, "there is no such notice, or it has no such action")
        if notice.done == action:
            return notice, None
        if notice.done:
            raise Refused(codes.BAD_REQUEST, f"this was answered already: {notice.done}")
        answered = self._notices[id_] = structs.replace(notice, done=action, state="read")
        return answered, self._changed(answered)

    def configure(self, settings: Settings, at: int) -> Change:
        """From now on so. Where that ends the quiet, what came in it is summed up."""
        self.settings = settings
        self._sum_up(at)
        return self._changed()

    def returned(self, at: int) -> Change | None:
        """Somebody looks again; None where that changes nothing."""
        return self._changed() if self._sum_up(at) else None

    def dismiss(self) -> Change | None:
        """The digest was looked at; None where there is none."""
        if self.digest is None:
            return None
        self.digest = None
        return self._changed()

    # ---- inside

    def _group(self, event: Event) -> Notice | None:
        """The notice that stands for the same on the same item, and was not read yet."""
        for notice in reversed(self._notices.values()):
            if notice.topic == event.topic and notice.item == event.item:
                return notice if notice.state in ("unseen", "seen") else None
        return None

    def _forget(self) -> tuple[str, ...]:
        """Make room."""
        gone: list[str] = []
        while len(self._notices) > MOST_NOTICES:
            rank = {"archived": 0, "read": 1}
            oldest = min(self._notices.values(), key=lambda notice: rank.get(notice.state, 2))
            del self._notices[oldest.id]
            self._held.pop(oldest.id, None)
            gone.append(oldest.id)
        self.counts.forgotten += len(gone)
        return tuple(gone)

    def _sum_up(self, at: int) -> bool:
        """Make a digest of what was held, unless it is still quiet; whether there is a new one."""
        if not self._held or self.settings.is_quiet(at):
            return False
        since = min(self._held.values())
        unheard = {id_ for id_ in self._held if self._notices[id_].state == "unseen"}
        self._held.clear()
        if self.digest is not None:
            since = min(since, self.digest.since)
            unheard |= set(self.digest.ids)
        held = [notice for notice in self._notices.values() if notice.id in unheard]
        if not self.settings.digest or len(held) < DIGEST_LEAST:
            return False
        topics: dict[Topic, int] = {}
        for notice in held:
            topics[notice.topic] = topics.get(notice.topic, 0) + notice.count
        self.digest = Digest(since, at, topics, tuple(notice.id for notice in held))
        return True

    def _changed(self, *notices: Notice, gone: tuple[str, ...] = ()) -> Change:
        self.revision += 1
        return Change(self.revision, self.settings, self.digest, self.counts, notices, gone)


def _joined(notice: Notice, event: Event, at: int, *, silent: bool) -> Notice:
    """One more of the same."""
    is_new = event.actor not in notice.actors
    others = tuple(actor for actor in notice.actors if actor != event.actor)
    return structs.replace(
        notice,
        actors=(event.actor, *others)[:MOST_ACTORS],
        people=notice.people + is_new,
        count=notice.count + 1,
        text=event.text or notice.text,
        at=at,
        state="unseen",
        silent=silent,
    )
