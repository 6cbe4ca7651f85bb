"""Notifications as channels: every person has one, all their devices follow it, and the server keeps the inbox.

    notices:{secret}      what has changed in somebody's inbox; only they are told its name
    repository:lighthouse the items that there are notices of (class latest, the item is the key)

rpc notices.open       the inbox as it is, and from which position of which channel it goes on
rpc notices.set        {"states": {"n3": "read"}}; the revision from which on that holds comes back
rpc notices.answer     {"id": "n3", "action": "approve"}: done once, however many devices ask for it
rpc notices.configure  how somebody wants to be told
rpc notices.dismiss    the digest was looked at
rpc notices.act        something happens; with a `key` once, however often it is said
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.core.messages import Position
from wirehop.node import Client, Node
from wirehop.pages.demos.notifications.allowance import Allowance
from wirehop.pages.demos.notifications.inbox import Inbox
from wirehop.pages.demos.notifications.notice import Change, Counts, Digest, Event, Notice, Settings, State
from wirehop.pages.demos.notifications.repository import Repository, Verb

ITEMS: Final = "repository:lighthouse"
MOST_PEOPLE: Final = 100
"""Who has not looked for longest is forgotten, when there is one too many."""

MOST_KEYS: Final = 1000
ACTS: Final = (20.0, 60.0)
"""A second, and at once: of all people together. Each is told to everybody."""

ORDERS: Final = (20.0, 100.0)
"""The same of one person's own inbox."""


class OpenRequest(Struct):
    """`seed` makes what stands in the inbox of somebody who is new."""

    seed: Annotated[int, Meta(ge=0, le=999_999_999)] = 1


class Opened(Struct):
    """The inbox: what is published at `channel` after `position` goes on from `revision`."""

    channel: str
    position: Position
    revision: int
    notices: tuple[Notice, ...]
    settings: Settings
    digest: Digest | None
    counts: Counts


class SetRequest(Struct):
    """The states that notices get, by id."""

    states: Annotated[dict[str, State], Meta(max_length=100)]


class Known(Struct):
    """From this revision on it is so."""

    revision: int


class AnswerRequest(Struct):
    """One of the actions of a notice."""

    id: str
    action: str


class ActRequest(Struct):
    """Something happens: `by` whom (oneself, where it is not said), and `to` one person only where that is said."""

    item: str
    verb: Verb
    by: Annotated[str, Meta(max_length=40)] = ""
    to: Annotated[str, Meta(max_length=40)] = ""
    text: Annotated[str, Meta(max_length=200)] = ""
    key: Annotated[str, Meta(max_length=64)] = ""


class Acted(Struct):
    """How many people were told; `known`: the key was, and nobody is told again."""

    told: int
    known: bool = False


class Person:
    """Whose inbox it is. Changes are published in their order: under the lock."""

    def __init__(self, now: float) -> None:
        self.inbox = Inbox()
        self.channel = f"notices:{secrets.token_hex(16)}"
        self.lock = asyncio.Lock()
        self.orders = Allowance(*ORDERS, now)


class Desk:
    """All inboxes of this node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._repository = Repository()
        self._people: dict[str, Person] = {}  # who has looked last comes last
        self._keys: dict[str, Acted] = {}
        self._acts = Allowance(*ACTS, node.clock.now())
        self._is_shown = False
        methods: dict[str, Callable[..., Awaitable[Any]]] = {
            "open": self.open, "set": self.set, "answer": self.answer, "configure": self.configure,
            "dismiss": self.dismiss, "act": self.act,
        }  # fmt: skip
        for name, method in methods.items():
            node.rpc(f"notices.{name}")(method)

    async def open(self, client: Client, request: OpenRequest) -> Opened:
        """The inbox of who asks. It begins with the first look."""
        await self._show_items()
        person = self._welcome(client.user, request.seed)
        async with person.lock:
            inbox, channel = person.inbox, person.channel
            await self._tell(person, inbox.returned(self._now()))
            position = (await self._node.history(channel, limit=0)).top
            return Opened(channel, position, inbox.revision, inbox.notices, inbox.settings, inbox.digest, inbox.counts)

    async def set(self, client: Client, request: SetRequest) -> Known:
        """Seen, read, archived, and back."""
        person = self._person(client)
        async with person.lock:
            await self._tell(person, person.inbox.set(request.states))
            return Known(person.inbox.revision)

    async def answer(self, client: Client, request: AnswerRequest) -> Notice:
        """Do what a button of a notice says."""
        person = self._person(client)
        async with person.lock:
            notice, change = person.inbox.answer(request.id, request.action)
            await self._tell(person, change)
        if change is not None:
            item = self._repository.answer(notice.item, request.action, client.user)
            await self._node.publish(ITEMS, item, key=item.id)
        return notice

    async def configure(self, client: Client, settings: Settings) -> bool:
        """How somebody wants to be told."""
        person = self._person(client)
        async with person.lock:
            await self._tell(person, person.inbox.configure(settings, self._now()))
        return True

    async def dismiss(self, client: Client) -> bool:
        """Away with the digest; whether there was one."""
        person = self._person(client)
        async with person.lock:
            change = person.inbox.dismiss()
            await self._tell(person, change)
        return change is not None

    async def act(self, client: Client, request: ActRequest) -> Acted:
        """Do something to an item, and tell those who watch."""
        key = f"{client.user}\n{request.key}" if request.key else ""
        if key in self._keys:
            return Acted(self._keys[key].told, known=True)
        if not self._acts.takes(self._node.clock.now()):
            raise Refused(codes.TOO_MANY_REQUESTS, "too much happens at once")
        actor = request.by.strip() or client.user or "somebody"
        event = self._repository.act(request.item, request.verb, actor, request.text)
        people = [each for name, each in self._people.items() if name != actor and request.to in ("", name)]
        acted = Acted(len(people))
        if key:
            self._keys[key] = acted  # before anything waits: the same key may come again meanwhile
            if len(self._keys) > MOST_KEYS:
                del self._keys[next(iter(self._keys))]
        await self._node.publish(ITEMS, self._repository.items[request.item], key=request.item)
        for person in people:
            await self._notify(person, event)
        return acted

    # ---- inside

    async def _show_items(self) -> None:
        """Once, when the first one looks: from then on what is done to an item is published."""
        if not self._is_shown:
            self._is_shown = True
            for item in self._repository.items.values():
                await self._node.publish(ITEMS, item, key=item.id)

    def _now(self) -> int:
        return int(self._node.clock.wall() * 1000)

    def _person(self, client: Client) -> Person:
        person = self._people.get(client.user)
        if person is None:
            raise Refused(codes.NOT_AVAILABLE, "this inbox is not open: it was forgotten, or never was")
        if not person.orders.takes(self._node.clock.now()):
            raise Refused(codes.TOO_MANY_REQUESTS, "too much is asked at once")
        return person

    def _welcome(self, user: str, seed: int) -> Person:
        if not user:
            raise Refused(codes.UNAUTHORIZED, "say a name with connect")
        person = self._people.pop(user, None)
        if person is None:
            person = Person(self._node.clock.now())
            for event, ago, state in self._repository.before(seed):
                person.inbox.add(event, self._now() - int(ago * 1000), state=state)
        self._people[user] = person
        if len(self._people) > MOST_PEOPLE:
            del self._people[next(iter(self._people))]
        return person

    async def _notify(self, person: Person, event: Event) -> None:
        async with person.lock:
            is_away = not await self._node.presence(person.channel)
            await self._tell(person, person.inbox.add(event, self._now(), is_away=is_away))

    async def _tell(self, person: Person, change: Change | None) -> None:
        if change is not None:
            await self._node.publish(person.channel, change)
