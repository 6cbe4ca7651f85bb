"""The registry of one process: which slots listen to which channel, and the fan-out to them."""

from wirehop.hub.hub import Hub, SlotOwner

__all__ = ["Hub", "SlotOwner"]
