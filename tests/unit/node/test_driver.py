"""A driver beside its machine: what it holds back for a moment, and lets go in order."""

from collections.abc import Sequence
from typing import cast

import msgspec
import pytest

from wirehop.abc import Peer
from wirehop.codecs.frame import Frame, Lane
from wirehop.codecs.json_lines import JsonLines, encode_publication_push, encode_reply
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.messages import Command, ConnectRequest, PingRequest, PublishRequest, Reply, SubscribeRequest
from wirehop.node import Node
from wirehop.node.driver import Driver
from wirehop.node.wire import Wire
from wirehop.settings.tree import Namespace

OPEN = Namespace(subscribe="anyone", publish="anyone", history_size=10)
LANE = Lane("test", lambda channel, publication, _epoch: encode_publication_push(channel, publication))


class Lines:
    """A wire that keeps what it is given."""

    lane = LANE

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.out = self

    def write(self, data: bytes | Sequence[Frame]) -> None:
        self.seen.append("delivery" if isinstance(data, bytes) else "caught up")

    def send(self, replies: Sequence[Reply]) -> int:
        self.seen += [f"reply {reply.id}" for reply in replies]
        return sum(len(encode_reply(reply)) for reply in replies)

    def close(self, code: Code, reason: str) -> None:
        self.seen.append(f"close {code.number}")


async def opened(wire: Lines) -> tuple[Node, Driver]:
    node = Node(namespaces={"open": OPEN})
    await node.start()
    driver = node.open_session(cast(Wire, wire), transport="test", peer=Peer("192.0.2.1"))
    receive(driver, Command(1, connect=ConnectRequest()), Command(2, subscribe=SubscribeRequest("open:a")))
    wire.seen.clear()
    return node, driver


def receive(driver: Driver, *commands: Command) -> None:
    driver.received(JsonLines().decode_commands(b"\n".join(map(msgspec.json.encode, commands))), 100)


def publish(number: int) -> Command:
    return Command(number, publish=PublishRequest("open:a", msgspec.Raw(b"1")))


@pytest.mark.asyncio
async def test_the_reply_to_a_publish_waits_for_its_own_delivery_and_goes_before_it() -> None:
    wire = Lines()
    node, driver = await opened(wire)
    receive(driver, publish(3))
    assert wire.seen == []
    node.hub.flush_all()
    assert wire.seen == ["reply 3", "delivery"]
    await node.stop()


@pytest.mark.asyncio
async def test_later_replies_do_not_overtake_the_one_that_waits() -> None:
    wire = Lines()
    node, driver = await opened(wire)
    receive(driver, publish(3))
    receive(driver, Command(4, ping=PingRequest()), publish(5))
    await node.publish("open:a", 0)
    assert driver.session.subscriptions
    node.hub.flush_all()
    assert [seen for seen in wire.seen if seen.startswith("reply")] == ["reply 3", "reply 4", "reply 5"]
    await node.stop()
    assert wire.seen[-1] == f"close {codes.SHUTDOWN.number}"


@pytest.mark.asyncio
async def test_an_end_lets_the_reply_go_first_and_a_lost_wire_gets_nothing() -> None:
    wire = Lines()
    node, driver = await opened(wire)
    receive(driver, publish(3))
    driver.end(codes.FORCE_DISCONNECT)
    assert wire.seen == ["reply 3", f"close {codes.FORCE_DISCONNECT.number}"]
    node.hub.flush_all()
    assert wire.seen == ["reply 3", f"close {codes.FORCE_DISCONNECT.number}"]
    other = Lines()
    second = node.open_session(cast(Wire, other), transport="test", peer=Peer("192.0.2.1"))
    receive(second, Command(1, connect=ConnectRequest()), Command(2, subscribe=SubscribeRequest("open:a")))
    other.seen.clear()
    receive(second, publish(3))
    second.lost("gone")
    node.hub.flush_all()
    assert other.seen == []
    await node.stop()
