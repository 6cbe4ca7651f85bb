"""The server API over HTTP, in the shape of Centrifugo's: what an application's other programs ask of a node."""

from wirehop.transports.api.api import Api

__all__ = ["Api"]
