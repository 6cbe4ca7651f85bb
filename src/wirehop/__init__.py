"""wirehop: one channel, any wire."""

__version__ = "0.1.0"
