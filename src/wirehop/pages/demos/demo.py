"""What a demo is made of."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from random import Random
from typing import Any

from msgspec import Struct

from wirehop.client import Client
from wirehop.node import Node
from wirehop.settings.tree import Namespace

Bot = Callable[[Client, int, Random], Awaitable[None]]
"""One user of a demo, played by the Python client: `await bot(client, number, random)` until it is cancelled. The
client is connected under the name `bot {number}`; the same number has the same random numbers every time."""


class Demo(Struct, frozen=True):
    """One demo. `sources` are the files that its code tab shows, relative to `wirehop/pages`, the server's first."""

    name: str
    namespaces: Mapping[str, Namespace]
    install: Callable[[Node], None]
    """Register its methods with the node."""

    sources: tuple[str, ...]
    run: Callable[[Node], Coroutine[Any, Any, None]] | None = None
    """What it does by itself until it is cancelled."""

    bot: Bot | None = None
