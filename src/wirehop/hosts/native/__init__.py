"""The native host: one asyncio server for HTTP/1.1, WebSocket and static files on one port.

It uses public asyncio only, so it runs on uvloop and on plain asyncio. It knows HTTP and RFC 6455; it does
not know sessions, channels, or what a handler does with an exchange.
"""

from wirehop.hosts.native.options import HostOptions as HostOptions
from wirehop.hosts.native.server import NativeServer as NativeServer
from wirehop.hosts.native.static import Static as Static
