"""wirehop: one channel, any wire."""

from wirehop.core.codes import Code
from wirehop.core.errors import Refused, WirehopError
from wirehop.core.messages import Position
from wirehop.node import Client, Connecting, Node, User
from wirehop.settings.tree import Namespace, Settings
from wirehop.version import __version__

__all__ = [
    "Client",
    "Code",
    "Connecting",
    "Namespace",
    "Node",
    "Position",
    "Refused",
    "Settings",
    "User",
    "WirehopError",
    "__version__",
]
