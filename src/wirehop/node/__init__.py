"""The only place where machines meet asyncio: sessions are driven here, their effects carried out, time kept."""

from wirehop.node.events import Client, Connecting, User
from wirehop.node.node import Node
from wirehop.node.wire import Wire

__all__ = ["Client", "Connecting", "Node", "User", "Wire"]
