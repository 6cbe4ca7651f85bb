"""The Python client: a pure machine, and thin wires around it. It does not know the server's code, only the messages.

from wirehop.client import Client
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wirehop.client.channel import Subscription
    from wirehop.client.client import Client
    from wirehop.client.errors import AddressError, ClientClosed, ClientError, RequestFailed, SubscriptionEnded
    from wirehop.client.publication import Publication
    from wirehop.client.states import ClientState

_WHERE = {
    "AddressError": "errors",
    "Client": "client",
    "ClientClosed": "errors",
    "ClientError": "errors",
    "ClientState": "machine",
    "Publication": "publication",
    "RequestFailed": "errors",
    "Subscription": "channel",
    "SubscriptionEnded": "errors",
}

__all__ = [
    "AddressError",
    "Client",
    "ClientClosed",
    "ClientError",
    "ClientState",
    "Publication",
    "RequestFailed",
    "Subscription",
    "SubscriptionEnded",
]


def __getattr__(name: str) -> object:
    """Import what is asked for, when it is: a program that uses the pure parts alone loads no asyncio."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
