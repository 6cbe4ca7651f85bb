"""The product that there are notices of: a small repository with issues, reviews, notes and deploys.

It knows what people may do to an item, and what those who watch are told of it.
"""

from random import Random
from typing import Final, Literal

from msgspec import Struct

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.pages.demos.notifications.notice import Event, State, Topic

Kind = Literal["issue", "pull", "note", "deploy"]
Verb = Literal["like", "comment", "mention", "request", "deploy", "fail"]

VERBS: Final[dict[Kind, tuple[Verb, ...]]] = {
    "issue": ("like", "comment", "mention"),
    "pull": ("like", "comment", "mention", "request"),
    "note": ("like", "comment", "mention"),
    "deploy": ("deploy", "fail"),
}
TOPICS: Final[dict[Verb, Topic]] = {
    "like": "like", "comment": "comment", "mention": "mention", "request": "review", "deploy": "deploy",
    "fail": "deploy",
}  # fmt: skip
ACTIONS: Final[dict[Verb, tuple[str, ...]]] = {"request": ("approve", "decline"), "fail": ("retry", "roll back")}
REMARKS: Final = (
    "I can reproduce this.", "Works for me since this morning.", "Could we do this before Friday?", "Nice find.",
    "The second log line is the interesting one.", "Let us ask the harbour master.", "Looks good to me.",
)  # fmt: skip
FIRST: Final = (
    "Ada", "Bo", "Cleo", "Dan", "Edda", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kaya", "Leo", "Maya", "Nils", "Olga",
    "Priya", "Quinn", "Rosa", "Sam", "Tove", "Uma", "Vito", "Wen", "Xenia", "Yara",
)  # fmt: skip
LAST: Final = (
    "Brook", "Chen", "Diaz", "Engel", "Frost", "Gray", "Holm", "Ito", "Jung", "Kent", "Lund", "Marsh", "Nair", "Okoro",
    "Park", "Quist", "Reed", "Stone", "Tran", "Voss",
)  # fmt: skip


class Item(Struct):
    """Something that people work on."""

    id: str
    kind: Kind
    title: str
    status: str
    likes: int = 0
    comments: int = 0


def name_of(number: int) -> str:
    """One of 500 people."""
    return f"{FIRST[number % len(FIRST)]} {LAST[number // len(FIRST) % len(LAST)]}"


class Repository:
    """The items by id. What is done to them is done to all who look."""

    def __init__(self) -> None:
        items = (
            Item("issue-12", "issue", "Lamp flickers when fog rolls in", "open", 4, 6),
            Item("issue-18", "issue", "Foghorn is silent on Sundays", "open", 2, 3),
            Item("pull-31", "pull", "Rotate the lens without jitter", "waits for review", 7, 9),
            Item("pull-34", "pull", "Start faster after a storm", "waits for review", 3, 2),
            Item("note-5", "note", "How we keep the light on", "published", 21, 8),
            Item("note-7", "note", "Winter schedule of the ferry", "published", 5, 1),
            Item("deploy-tower", "deploy", "Tower", "version 42 has failed"),
            Item("deploy-harbour", "deploy", "Harbour", "version 17 runs"),
        )
        self.items: dict[str, Item] = {item.id: item for item in items}
        self._versions = {"deploy-tower": 42, "deploy-harbour": 17}

    def act(self, item_id: str, verb: Verb, actor: str, text: str = "") -> Event:
        """Somebody does something to an item; what others are told of it."""
        item = self.items.get(item_id)
        if item is None or verb not in VERBS[item.kind]:
            raise Refused(codes.BAD_REQUEST, f"there is no {item_id!r} that one can {verb}")
        if verb == "like":
            item.likes += 1
        elif verb in ("comment", "mention"):
            item.comments += 1
        elif verb in ("deploy", "fail"):
            self._versions[item.id] += 1
            runs = "runs" if verb == "deploy" else "has failed"
            text = item.status = f"version {self._versions[item.id]} {runs}"
        return Event(TOPICS[verb], item.id, item.title, actor, text, ACTIONS.get(verb, ()))

    def answer(self, item_id: str, action: str, actor: str) -> Item:
        """Somebody has taken an action of a notice."""
        item = self.items[item_id]
        version = self._versions.get(item_id, 0)
        item.status = {
            "approve": f"approved by {actor}",
            "decline": f"declined by {actor}",
            "retry": f"version {version} runs",
            "roll back": f"version {version - 1} runs again",
        }[action]
        return item

    def before(self, seed: int) -> list[tuple[Event, float, State]]:
        """What happened before somebody came, oldest first: events, how many seconds ago, and how far they were
        noticed. The same for the same seed; the items do not change by it."""
        random = Random(seed)  # noqa: S311 - play
        plan: tuple[tuple[str, Verb, int, State], ...] = (
            ("deploy-harbour", "deploy", 1, "read"), ("note-7", "like", 2, "read"), ("issue-18", "comment", 1, "read"),
            ("issue-12", "mention", 1, "seen"), ("pull-34", "request", 1, "seen"), ("note-5", "like", 3, "unseen"),
            ("pull-31", "comment", 2, "unseen"), ("deploy-tower", "fail", 1, "unseen"),
        )  # fmt: skip
        told: list[tuple[Event, float, State]] = []
        ago = 26 * 3600.0
        for item_id, verb, times, state in plan:
            item = self.items[item_id]
            for number in random.sample(range(100), times):
                text = {"deploy": "version 17 runs", "fail": "version 42 has failed"}.get(verb, "")
                if verb in ("comment", "mention"):
                    text = random.choice(REMARKS)
                actor, actions = name_of(number), ACTIONS.get(verb, ())
                told.append((Event(TOPICS[verb], item_id, item.title, actor, text, actions), ago, state))
                ago *= random.uniform(0.55, 0.8)
        return told
