"""The server that is measured: everything on that is on in development, a namespace `lab`, and a sender inside.

    rpc lab.large {"channel", "size"}                            publishes one message of so many bytes
    rpc lab.send {"channel", "count", "rate", "size", "first"}   publishes messages at their times; {"sent", "seconds"}

It is a process of its own (`python -m wirehop.lab.measure.server PORT HEARTBEAT`), so that neither relay nor readers
take its time. Clocks of processes on one machine are one clock (CLOCK_MONOTONIC).
"""

import asyncio
import logging
import sys
import time
from typing import Final

from msgspec import Struct, structs

from wirehop.lab.measure.messages import WARM_UP, Message
from wirehop.node import Client, Node
from wirehop.running import run_loop, serve
from wirehop.settings.dev import dev
from wirehop.settings.tree import Namespace, Settings

HISTORY: Final = 50_000
SEND_SECONDS: Final = 120.0
"""That one order may take."""

LARGEST: Final = 8_388_608
"""Bytes of one publication."""

PADDED: Final = 40
"""Bytes of a message that are not padding."""


class Order(Struct):
    """What is to be sent."""

    channel: str
    count: int
    rate: float
    size: int = 64
    first: int = -WARM_UP


class Large(Struct):
    """One message of so many bytes of JSON."""

    channel: str
    size: int


class Sent(Struct):
    """What was."""

    sent: int
    seconds: float


def settings(port: int, heartbeat: float) -> Settings:
    """Of the server that is measured."""
    base = dev()
    lab = Namespace(
        history_size=HISTORY,
        history_age=3600,
        presence=True,
        subscribe="anyone",
        publish="anyone",
        publication_bytes=LARGEST,
    )
    return structs.replace(
        base,
        server=structs.replace(base.server, port=port, host="127.0.0.1", drain=0.1, body_bytes=LARGEST),
        limits=structs.replace(base.limits, recovery_publications=HISTORY, handler_timeout=SEND_SECONDS),
        heartbeat=structs.replace(base.heartbeat, interval=heartbeat),
        rtc=structs.replace(base.rtc, turn="off"),
        namespaces={**base.namespaces, "lab": lab},
    )


def make_node(port: int, heartbeat: float) -> Node:
    """The node with its sender."""
    node = Node(settings(port, heartbeat))

    @node.rpc("lab.send")
    async def send(_client: Client, order: Order) -> Sent:
        pad = "x" * max(0, order.size - PADDED)
        begin = time.monotonic() + 0.05
        for number in range(order.first, order.count):
            due = begin + (number - order.first) / order.rate
            if (left := due - time.monotonic()) > 0:
                await asyncio.sleep(left)
            elif number % 64 == 0:
                await asyncio.sleep(0)
            await node.publish(order.channel, Message(number, due, pad))
        return Sent(order.count - order.first, time.monotonic() - begin)

    @node.rpc("lab.large")
    async def large(_client: Client, order: Large) -> None:
        await node.publish(order.channel, "x" * (order.size - 2))

    return node


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    run_loop(serve(make_node(int(sys.argv[1]), float(sys.argv[2]))), "auto")
