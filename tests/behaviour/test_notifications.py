"""The desk of notifications: one inbox for all of a person's sessions, and everything done once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from wirehop.client import Client
from wirehop.client.errors import RequestFailed
from wirehop.core import codes
from wirehop.core.messages import Position
from wirehop.hosts.native import NativeServer
from wirehop.node import Node
from wirehop.pages.app import DemoApp
from wirehop.pages.demos.notifications import desk as desk_module
from wirehop.settings.tree import Settings
from wirehop.site import Site

pytestmark = pytest.mark.asyncio

Enter = Callable[[str], Awaitable["Device"]]


class Device:
    """One session of a person, which follows the inbox."""

    def __init__(self, client: Client, opened: dict[str, Any]) -> None:
        self.client = client
        self.opened = opened
        self.changes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def follow(self) -> None:
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        position = Position(self.opened["position"]["epoch"], self.opened["position"].get("offset", 0))
        async with self.client.subscribe(self.opened["channel"], position=position) as subscription:
            async for publication in subscription:
                self.changes.put_nowait(publication.data)

    async def change(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            return await self.changes.get()

    async def rpc(self, method: str, **data: object) -> Any:
        return await self.client.rpc(f"notices.{method}", data)

    def ids(self, *states: str) -> list[str]:
        return [each["id"] for each in self.opened["notices"] if each["state"] in states]


@pytest_asyncio.fixture
async def node() -> AsyncIterator[tuple[Node, str]]:
    app = DemoApp(Settings())
    server = NativeServer(Site(app.node).open)
    await app.node.start()
    await server.start("127.0.0.1", 0)
    yield app.node, f"http://127.0.0.1:{server.port}"
    await app.node.stop()
    await server.close()


@pytest_asyncio.fixture
async def enter(node: tuple[Node, str]) -> AsyncIterator[Enter]:
    """`await enter("Ann")`: a device of hers."""
    devices: list[Device] = []
    async with AsyncExitStack() as stack:

        async def enter(name: str) -> Device:
            client = await stack.enter_async_context(Client(node[1], data={"name": name}))
            device = Device(client, await client.rpc("notices.open", {"seed": 3}))
            others = await node[0].presence(device.opened["channel"])
            devices.append(device)
            device.follow()
            await until_present(node[0], device.opened["channel"], len(others) + 1)
            return device

        yield enter
        for device in devices:
            device.task.cancel()
        await asyncio.gather(*(device.task for device in devices), return_exceptions=True)


async def until_present(node: Node, channel: str, count: int) -> None:
    async with asyncio.timeout(20):
        while len(await node.presence(channel)) != count:  # noqa: ASYNC110 - a count of the node's, no event
            await asyncio.sleep(0.01)


async def test_what_is_read_on_one_device_is_read_on_the_other(enter: Enter) -> None:
    one, other = await enter("Ann"), await enter("Ann")
    assert one.opened["notices"] == other.opened["notices"]
    (id_, *_) = one.ids("unseen")
    known = await one.rpc("set", states={id_: "read"})
    for device in (one, other):
        change = await device.change()
        assert change["revision"] == known["revision"]
        assert [(each["id"], each["state"]) for each in change["notices"]] == [(id_, "read")]


async def test_the_same_seed_is_the_same_inbox(enter: Enter) -> None:
    ann, ben = await enter("Ann"), await enter("Ben")
    told = [
        [
            (each["item"], each["topic"], each["actors"], each["text"], each["state"])
            for each in device.opened["notices"]
        ]
        for device in (ann, ben)
    ]
    assert told[0] == told[1]
    assert [state for *_, state in told[0]].count("unseen") == 3


async def test_nobody_else_is_told_or_can_listen(enter: Enter) -> None:
    ann, ben = await enter("Ann"), await enter("Ben")
    assert ann.opened["channel"] != ben.opened["channel"]
    await ben.rpc("act", item="issue-12", verb="mention", by="Cleo", to="Ann")
    assert (await ann.change())["notices"][0]["actors"] == ["Cleo"]
    await ben.rpc("act", item="issue-18", verb="mention", by="Cleo", to="Ben")
    assert (await ben.change())["notices"][0]["item"] == "issue-18"
    with pytest.raises(RequestFailed) as caught:
        await ben.client.publish(ann.opened["channel"], {"revision": 99})
    assert caught.value.code == codes.PERMISSION_DENIED.number


async def test_who_does_something_is_not_told_of_it(enter: Enter) -> None:
    ann, ben = await enter("Ann"), await enter("Ben")
    assert (await ann.rpc("act", item="note-7", verb="comment", text="mine"))["told"] == 1
    notice = (await ben.change())["notices"][0]
    assert (notice["actors"], notice["text"]) == (["Ann"], "mine")
    assert ann.changes.empty()


async def test_the_same_key_is_told_once(enter: Enter) -> None:
    ann, ben = await enter("Ann"), await enter("Ben")
    act = {"item": "issue-12", "verb": "mention", "by": "Cleo", "key": "k1"}
    answers = await asyncio.gather(*(ben.rpc("act", **act) for _ in range(5)))
    assert sorted(each.get("known", False) for each in answers) == [False, True, True, True, True]
    assert (await ann.rpc("act", **act)).get("known", False) is False, "keys are of who says them"
    seen = [await ann.change() for _ in range(2)]
    assert ann.changes.empty()
    assert [change["revision"] for change in seen] == [ann.opened["revision"] + 1, ann.opened["revision"] + 2]


async def test_an_action_is_done_once_and_changes_the_item(enter: Enter, node: tuple[Node, str]) -> None:
    one, other = await enter("Ann"), await enter("Ann")
    (asked,) = [each for each in one.opened["notices"] if each["topic"] == "review"]
    answers = await asyncio.gather(*(each.rpc("answer", id=asked["id"], action="approve") for each in (one, other)))
    assert [each["done"] for each in answers] == ["approve", "approve"]
    with pytest.raises(RequestFailed, match="answered already"):
        await other.rpc("answer", id=asked["id"], action="decline")
    page = await node[0].history("repository:lighthouse")
    assert b'"approved by Ann"' in next(each.data for each in page.publications if each.key == asked["item"])
    assert (await other.change())["notices"][0]["done"] == "approve"
    assert other.changes.empty()


async def test_who_comes_back_gets_a_digest_and_dismisses_it_everywhere(enter: Enter, node: tuple[Node, str]) -> None:
    ben, ann = await enter("Ben"), await enter("Ann")
    await ann.client.close()
    await until_present(node[0], ann.opened["channel"], 0)
    for item, verb in (("note-7", "like"), ("issue-18", "comment"), ("issue-12", "mention"), ("pull-34", "request")):
        await ben.rpc("act", item=item, verb=verb, by="Cleo")
    one, other = await enter("Ann"), await enter("Ann")
    assert one.opened["digest"]["topics"] == {"like": 1, "comment": 1, "mention": 1, "review": 1}
    assert other.opened["digest"] == one.opened["digest"]
    assert await one.rpc("dismiss") is True
    assert (await other.change())["digest"] is None


async def test_settings_hold_on_all_devices_and_nonsense_is_refused(enter: Enter) -> None:
    one, other = await enter("Ann"), await enter("Ann")
    await one.rpc("configure", like="off", quiet="now")
    assert (await other.change())["settings"]["like"] == "off"
    assert (await other.rpc("act", item="note-7", verb="like", by="Cleo"))["told"] == 1
    for nonsense in ({"like": "loudly"}, {"quiet_from": 1440}, {"offset": 10**6}, {"unknown": 1}):
        with pytest.raises(RequestFailed) as caught:
            await one.rpc("configure", **nonsense)
        assert caught.value.code == codes.BAD_REQUEST.number


async def test_too_much_at_once_is_refused(enter: Enter) -> None:
    ann = await enter("Ann")
    asked = [ann.rpc("act", item="note-7", verb="like", by="Cleo", to="nobody") for _ in range(100)]
    refused = [each for each in await asyncio.gather(*asked, return_exceptions=True) if isinstance(each, RequestFailed)]
    assert refused
    assert {each.code for each in refused} == {codes.TOO_MANY_REQUESTS.number}
    for bad in ({"text": "x" * 201}, {"by": "x" * 41}, {"key": "x" * 65}, {"verb": "shout"}):
        with pytest.raises(RequestFailed) as caught:
            await ann.rpc("act", **{"item": "note-7", "verb": "like", **bad})
        assert caught.value.code == codes.BAD_REQUEST.number
    with pytest.raises(RequestFailed):
        await ann.rpc("set", states={f"n{number}": "read" for number in range(101)})


async def test_who_has_not_looked_for_longest_is_forgotten_and_may_begin_anew(
    enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "MOST_PEOPLE", 2)
    ann = await enter("Ann")
    await enter("Ben")
    await enter("Cleo")
    with pytest.raises(RequestFailed) as caught:
        await ann.rpc("set", states={"n1": "read"})
    assert caught.value.code == codes.NOT_AVAILABLE.number
    again = await ann.rpc("open", seed=3)
    assert again["channel"] != ann.opened["channel"]


async def test_somebody_without_a_name_has_no_inbox(node: tuple[Node, str]) -> None:
    async with Client(node[1]) as client:
        with pytest.raises(RequestFailed) as caught:
            await client.rpc("notices.open", {})
        assert caught.value.code == codes.UNAUTHORIZED.number
