"""The ASGI host: `abc.Exchange`, `Stream` and `Duplex` over the messages of any ASGI 3 server."""

from wirehop.hosts.asgi.host import AsgiHost
from wirehop.hosts.asgi.options import AsgiOptions
from wirehop.hosts.asgi.signals import StopSignals

__all__ = ["AsgiHost", "AsgiOptions", "StopSignals"]
