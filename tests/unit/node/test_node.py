"""A node before it starts."""

from msgspec.structs import replace

from wirehop.brokers.memory import MemoryBroker
from wirehop.node import Node
from wirehop.settings.tree import Settings
from wirehop.testing.clock import CountingIds, ManualClock


def test_other_settings_reach_the_broker_that_the_node_made() -> None:
    node = Node()
    node.use(replace(Settings(), limits=replace(Settings().limits, channels=7)))
    assert isinstance(node.broker, MemoryBroker)
    assert node.broker.max_channels == 7
    assert node.presence_store is node.broker
    assert node.publish_at_once == node.broker.publish_at_once


def test_a_broker_that_was_given_stays() -> None:
    given = MemoryBroker(ManualClock(), CountingIds())
    node = Node(broker=given)
    node.use(replace(Settings(), limits=replace(Settings().limits, channels=7)))
    assert node.broker is given
    assert isinstance(node.presence_store, MemoryBroker)
    assert node.presence_store.max_channels == 7
