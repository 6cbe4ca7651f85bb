"""What a node has counted, as Prometheus reads it."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from wirehop.node import Node
from wirehop.node.metrics import NodeCollector


def test_what_was_dropped_what_failed_and_who_was_gone_are_told_apart() -> None:
    node = Node()
    node.metrics.dropped["outbox"] = 1
    node.metrics.errors["handler"] = 2
    node.metrics.gone["batch"] = 3
    registry = CollectorRegistry()
    registry.register(NodeCollector(node))
    lines = generate_latest(registry).decode().splitlines()
    assert 'wirehop_dropped_total{reason="outbox"} 1.0' in lines
    assert 'wirehop_errors_total{reason="handler"} 2.0' in lines
    assert 'wirehop_gone_total{reason="batch"} 3.0' in lines
