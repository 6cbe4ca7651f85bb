"""wirehop: one channel, any wire.

    from wirehop import Namespace, Node, User, run

The public names are loaded when first used, so that a program that needs one of them does not pay for all.
"""

from typing import TYPE_CHECKING

from wirehop.version import __version__

if TYPE_CHECKING:
    from wirehop.core.codes import Code
    from wirehop.core.errors import Refused, WirehopError
    from wirehop.core.messages import Position
    from wirehop.mount import AsgiApp
    from wirehop.node import Client, Connecting, Node, User
    from wirehop.running import run, serve
    from wirehop.settings import Namespace, Settings

_HOMES = {
    "AsgiApp": "wirehop.mount",
    "Client": "wirehop.node",
    "Code": "wirehop.core.codes",
    "Connecting": "wirehop.node",
    "Namespace": "wirehop.settings",
    "Node": "wirehop.node",
    "Position": "wirehop.core.messages",
    "Refused": "wirehop.core.errors",
    "Settings": "wirehop.settings",
    "User": "wirehop.node",
    "WirehopError": "wirehop.core.errors",
    "run": "wirehop.running",
    "serve": "wirehop.running",
}

__all__ = [
    "AsgiApp",
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
    "run",
    "serve",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'wirehop' has no attribute {name!r}")
    import importlib

    home = importlib.import_module(_HOMES[name])
    return getattr(home, name)
