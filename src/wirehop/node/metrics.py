"""What a node counts. Plain integers, touched on the hot path; the Prometheus text is made from them when asked for."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from wirehop.node.node import Node


class Metrics:
    """Counters since the start. Keys are names of transports, or of what was dropped or failed."""

    def __init__(self) -> None:
        self.publications = 0
        self.behind = 0  # slots that a comparison of tops found behind
        self.received: Counter[str] = Counter()  # commands, by transport
        self.sent: Counter[str] = Counter()  # replies and pushes that did not take the fast lane, by transport
        self.caught_up: Counter[str] = Counter()  # publications sent from history or the tail, by transport
        self.paused: Counter[str] = Counter()  # how often a wire was full, by transport
        self.opened: Counter[str] = Counter()  # sessions, by transport
        self.closed: Counter[tuple[str, int]] = Counter()  # sessions, by transport and code
        self.dropped: Counter[str] = Counter()  # by what was dropped
        self.errors: Counter[str] = Counter()  # by where
        self.moves: Counter[str] = Counter()  # of sessions that outlive their wires, by what happened
        self.gone: Counter[str] = Counter()  # connections that a send found dead, by where
        self.api: Counter[tuple[str, int]] = Counter()  # commands of the server API, by method and code (0: success)


class NodeCollector:
    """A Prometheus collector over one node."""

    def __init__(self, node: "Node") -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """All metrics at this moment."""
        node, metrics = self._node, self._node.metrics
        connections = GaugeMetricFamily("wirehop_connections", "Open sessions.", labels=["transport"])
        for name, count in node.connections().items():
            connections.add_metric([name], count)
        yield connections
        messages = CounterMetricFamily("wirehop_messages", "Messages.", labels=["direction", "transport"])
        for name, count in metrics.received.items():
            messages.add_metric(["in", name], count)
        for name, count in node.messages_out().items():
            messages.add_metric(["out", name], count)
        yield messages
        yield CounterMetricFamily("wirehop_publications", "Publications accepted by this node.", metrics.publications)
        yield CounterMetricFamily("wirehop_behind", "Live slots that had missed something.", metrics.behind)
        yield GaugeMetricFamily("wirehop_waiting", "Sessions without a wire.", node.resumption.waiting)
        yield GaugeMetricFamily("wirehop_channels", "Channels with subscribers on this node.", len(node.hub.channels))
        closed = CounterMetricFamily("wirehop_closed", "Sessions ended, by code.", labels=["transport", "code"])
        for (name, code), count in metrics.closed.items():
            closed.add_metric([name, str(code)], count)
        yield closed
        signals = CounterMetricFamily("wirehop_rtc_signals", "Signals in rooms, by what happened.", labels=["reason"])
        for reason, count in node.rooms.router.counts.items():
            signals.add_metric([reason], count)
        yield signals
        yield GaugeMetricFamily("wirehop_rtc_waiting", "Signals on their way.", node.rooms.router.waiting)
        api = CounterMetricFamily("wirehop_api", "Commands of the server API.", labels=["method", "code"])
        for (method, number), count in metrics.api.items():
            api.add_metric([method, str(number)], count)
        yield api
        for name, text, counter in (
            ("wirehop_dropped", "What was dropped, by reason.", metrics.dropped),
            ("wirehop_errors", "Failures, by where.", metrics.errors),
            ("wirehop_moves", "Wires of sessions that move, by what happened.", metrics.moves),
            ("wirehop_gone", "Connections that a send found dead, by where.", metrics.gone),
            ("wirehop_paused", "How often a wire was full, by transport.", metrics.paused),
        ):
            family = CounterMetricFamily(name, text, labels=["reason"])
            for key, count in counter.items():
                family.add_metric([key], count)
            yield family
