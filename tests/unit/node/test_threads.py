"""From a thread to the node's loop."""

import asyncio

import pytest

from wirehop import Namespace, Node
from wirehop.core.errors import LocalProtocolError, PayloadError

pytestmark = pytest.mark.asyncio


async def test_a_thread_publishes_and_gets_the_position() -> None:
    node = Node(namespaces={"": Namespace()})
    await node.start()
    position = await asyncio.to_thread(lambda: node.run_threadsafe(node.publish("a", 1)))
    assert (position.offset, (await node.history("a")).publications[0].data) == (1, b"1")
    with pytest.raises(PayloadError):
        await asyncio.to_thread(lambda: node.run_threadsafe(node.publish("a", object())))
    with pytest.raises(TimeoutError, match=r"0\.01 s"):
        await asyncio.to_thread(lambda: node.run_threadsafe(asyncio.sleep(60), timeout=0.01))
    await node.stop()


async def test_many_threads_at_once_lose_nothing() -> None:
    node = Node(namespaces={"": Namespace(history_size=1000)})
    await node.start()

    def publish() -> None:
        for n in range(25):
            node.run_threadsafe(node.publish("a", n))

    await asyncio.gather(*(asyncio.to_thread(publish) for _ in range(8)))
    assert [each.offset for each in (await node.history("a", limit=1000)).publications] == list(range(1, 201))
    await node.stop()


async def test_on_the_loops_own_thread_and_on_a_node_that_does_not_run_it_says_so() -> None:
    node = Node(namespaces={"": Namespace()})
    with pytest.raises(LocalProtocolError, match="not started"):
        await asyncio.to_thread(lambda: node.run_threadsafe(node.publish("a", 1)))
    await node.start()
    with pytest.raises(LocalProtocolError, match="await it there"):
        node.run_threadsafe(node.publish("a", 1))
    await node.stop()
    with pytest.raises(LocalProtocolError, match="not started"):
        await asyncio.to_thread(lambda: node.run_threadsafe(node.publish("a", 1)))
