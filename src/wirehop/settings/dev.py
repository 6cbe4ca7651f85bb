"""What `--dev` opens: everything a first try needs, to everyone on this machine and nobody else.

It knows the values. That dev listens on loopback only is `check`'s rule; that explicit values win is
`load`'s.
"""

from collections.abc import Mapping
from typing import Final

from wirehop.settings.options import DEFAULT_NAME, Value
from wirehop.settings.tree import ANY_ORIGIN, LOOPBACK_ORIGIN, Settings
from wirehop.settings.values import build

_OPEN: Final[Mapping[str, Value]] = {
    "subscribe": "anyone",
    "publish": "anyone",
    "presence": True,
    "join_leave": True,
    "history_size": 100,
    "history_age": 300.0,
}
_DELIVERIES: Final = {DEFAULT_NAME: "log", "signal": "signal", "latest": "latest"}

DEV_VALUES: Final[Mapping[str, Value]] = {
    "dev": True,
    "auth.anonymous": True,
    "transports.jsonp": True,
    "server.drain": 1.0,
    "rtc.turn": "embedded",
    **{f"namespaces.{name}.delivery": delivery for name, delivery in _DELIVERIES.items()},
    **{f"namespaces.{name}.{option}": value for name in _DELIVERIES for option, value in _OPEN.items()},
}
"""By dotted key as sources spell them. The origins are not here: dev adds to them (`with_loopback`)."""


def with_loopback(allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The allowed origins, and any page of this machine."""
    return allowed if {ANY_ORIGIN, LOOPBACK_ORIGIN} & set(allowed) else (*allowed, LOOPBACK_ORIGIN)


def dev() -> Settings:
    """The settings of `wirehop serve --dev` where nothing else is given."""
    return build({**DEV_VALUES, "origins.allowed": with_loopback(())})
