"""The application behind `wirehop serve --dev` without an app of one's own: the demos' namespaces, names, and
sources."""

import asyncio
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from wirehop.node import Client, Connecting, Node, User
from wirehop.pages.assist import install_assistance
from wirehop.pages.demos import DEMOS
from wirehop.pages.demos.tools import DemoTools
from wirehop.pages.monitor import publish_server, publish_system
from wirehop.settings.tree import Namespace, Settings

NAMESPACES = {
    "chat": Namespace(
        history_size=200, history_age=86_400, presence=True, join_leave=True, subscribe="anyone", publish="anyone"
    ),
    "typing": Namespace(delivery="signal", subscribe="anyone", publish="anyone"),
    "room": Namespace(
        history_size=200,
        history_age=86_400,
        presence=True,
        join_leave=True,
        rtc=True,
        subscribe="anyone",
        publish="anyone",
    ),
    "assist": Namespace(  # what happens in a session of remote assistance: its audit list and its chat
        history_size=500,
        history_age=86_400,
        presence=True,
        join_leave=True,
        rtc=True,
        subscribe="anyone",
        publish="anyone",
    ),
    "assist-live": Namespace(  # pointers, pens and input, while people have no connection of their own
        history_size=256, history_age=30, subscribe="anyone", publish="anyone", publication_bytes=16_384
    ),
    "monitor": Namespace(history_size=120, history_age=180, subscribe="anyone", publish="nobody"),
}


class Named(Struct):
    """What the demo pages send with connect."""

    name: str = ""


def demo_settings(settings: Settings) -> Settings:
    """The settings with the demos' namespaces, where they are not configured otherwise."""
    of_demos = {name: namespace for demo in DEMOS for name, namespace in demo.namespaces.items()}
    return structs.replace(settings, namespaces={**NAMESPACES, **of_demos, **settings.namespaces})


class DemoApp:
    """The node of the demos, and what they do by themselves."""

    def __init__(self, settings: Settings) -> None:
        self.tools = DemoTools(DEMOS)
        self.node = demo_node(settings)
        self.tools.install(self.node)

    async def run(self, node: Node) -> None:
        """Feed the pages until cancelled."""
        try:
            await asyncio.gather(publish_monitor(node), *(demo.run(node) for demo in DEMOS if demo.run is not None))
        finally:
            await self.tools.close()


def demo_node(settings: Settings) -> Node:
    """A node for the demos: whoever says a name is that user (this is development: nobody checks it)."""
    node = Node(demo_settings(settings))

    @node.on_connect
    async def connect(connecting: Connecting) -> User | None:
        if connecting.data() is None:
            return None
        name = connecting.data(Named).name.strip()[:40]
        return User(name, info={"name": name}) if name else None

    @node.rpc("echo")
    async def echo(_client: Client, data: Any) -> object:
        return data

    install_assistance(node)
    for demo in DEMOS:
        demo.install(node)
    return node


def figures(node: Node) -> Mapping[str, object]:
    """What the monitor page shows of the server: cumulative counters."""
    out = node.messages_out()
    connections = node.connections()
    names = {*out, *connections, *node.metrics.received}
    return {
        "wires": {
            name: {"connections": connections.get(name, 0), "in": node.metrics.received[name], "out": out[name]}
            for name in sorted(names)
        },
        "publications": node.metrics.publications,
        "drops": node.metrics.dropped.total(),
    }


async def publish_monitor(node: Node) -> None:
    """Feed the monitor page until cancelled."""
    await asyncio.gather(
        publish_system(node.publish),
        publish_server(node.publish, lambda: figures(node)),
    )
