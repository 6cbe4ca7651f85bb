"""What people are told, and how they want to be told: values. Times are Unix milliseconds."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

Topic = Literal["mention", "review", "comment", "like", "deploy"]
State = Literal["unseen", "seen", "read", "archived"]
"""Unseen makes the badge; seen was in an inbox that was looked at; read was opened; archived is put away."""

Attention = Literal["toast", "inbox", "off"]
"""Of a topic: said at once, put into the inbox only, or not told at all."""

GROUPED: Final[frozenset[Topic]] = frozenset({"comment", "like"})
"""Of these the same on one item is one notice, until it is read: "Ada and 2 others liked"."""

MOST_ACTORS: Final = 20
DAY_MINUTES: Final = 1440
Minute = Annotated[int, Meta(ge=0, lt=DAY_MINUTES)]


class Event(Struct, frozen=True):
    """Something that has happened to an item, for those who watch it."""

    topic: Topic
    item: str
    title: str
    actor: str
    text: str = ""
    actions: tuple[str, ...] = ()


class Notice(Struct, frozen=True):
    """What stands in an inbox: one event, or several that are grouped. `actors` are the newest, each once; `people` how
    many they are in all, `count` how many events. `done` is the action that was taken; `silent` makes no toast."""

    id: str
    topic: Topic
    item: str
    title: str
    actors: tuple[str, ...]
    at: int
    people: int = 1
    count: int = 1
    text: str = ""
    actions: tuple[str, ...] = ()
    done: str = ""
    state: State = "unseen"
    silent: bool = False


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How somebody wants to be told. `quiet` is now, in `quiet_from` to `quiet_to` (minutes of their day, which is
    `offset` minutes ahead of UTC), or off: what comes then makes no toast and no sound."""

    mention: Attention = "toast"
    review: Attention = "toast"
    comment: Attention = "toast"
    like: Attention = "toast"
    deploy: Attention = "toast"
    sound: bool = True
    digest: bool = True
    quiet: Literal["off", "now", "hours"] = "off"
    quiet_from: Minute = 22 * 60
    quiet_to: Minute = 7 * 60
    offset: Annotated[int, Meta(ge=-DAY_MINUTES, le=DAY_MINUTES)] = 0

    def attention(self, topic: Topic) -> Attention:
        """What the topic gets."""
        return {
            "mention": self.mention,
            "review": self.review,
            "comment": self.comment,
            "like": self.like,
            "deploy": self.deploy,
        }[topic]

    def is_quiet(self, at: int) -> bool:
        """Whether this is a moment to be quiet."""
        if self.quiet != "hours":
            return self.quiet == "now"
        minute = (at // 60_000 + self.offset) % DAY_MINUTES
        if self.quiet_from <= self.quiet_to:
            return self.quiet_from <= minute < self.quiet_to
        return minute >= self.quiet_from or minute < self.quiet_to


class Digest(Struct, frozen=True):
    """What came while nobody looked, or in quiet hours, summed up; `ids` of what is still there of it."""

    since: int
    until: int
    topics: dict[Topic, int]
    ids: tuple[str, ...]


class Counts(Struct):
    """What was not shown, and why: `off` by the settings, `forgotten` because there were too many."""

    received: int = 0
    off: int = 0
    forgotten: int = 0


class Change(Struct, frozen=True):
    """What is published: the notices that have changed, whole, and all that is not a notice. Revisions have no gaps."""

    revision: int
    settings: Settings
    digest: Digest | None
    counts: Counts
    notices: tuple[Notice, ...] = ()
    gone: tuple[str, ...] = field(default_factory=tuple)
