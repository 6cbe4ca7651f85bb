"""Settings: one typed tree, where its values come from, and whether they agree.

The flags for a command line are in `wirehop.settings.flags`, the descriptions in `wirehop.settings.describe`.
"""

from wirehop.settings.check import check, is_loopback
from wirehop.settings.dev import dev
from wirehop.settings.load import Flags, Loaded, load
from wirehop.settings.tree import (
    ANY_ORIGIN,
    DEFAULT_NAMESPACE,
    LOOPBACK_ORIGIN,
    Admin,
    Api,
    Auth,
    BrokerChoice,
    Demos,
    Heartbeat,
    Idempotency,
    Limits,
    Namespace,
    Origins,
    Rtc,
    Server,
    Settings,
    Transports,
    Who,
)

__all__ = [
    "ANY_ORIGIN",
    "DEFAULT_NAMESPACE",
    "LOOPBACK_ORIGIN",
    "Admin",
    "Api",
    "Auth",
    "BrokerChoice",
    "Demos",
    "Flags",
    "Heartbeat",
    "Idempotency",
    "Limits",
    "Loaded",
    "Namespace",
    "Origins",
    "Rtc",
    "Server",
    "Settings",
    "Transports",
    "Who",
    "check",
    "dev",
    "is_loopback",
    "load",
]
