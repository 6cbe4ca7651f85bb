"""A channel is a URL: event stream, WebSocket, long poll, short poll, history and publish, without an SDK."""

from wirehop.transports.channels.channels import ChannelTransport

__all__ = ["ChannelTransport"]
