"""The options as data: one row per field of the tree, and the names each source gives it.

    key            server.port            namespaces.NAME.history_size
    environment    WIREHOP_SERVER__PORT   WIREHOP_NAMESPACES__NAME__HISTORY_SIZE
    flag           --server-port          --namespace NAME.history_size=VALUE

It reads the tree and knows how names are made. It does not know values that somebody gave.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Final, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from wirehop.settings.tree import DEFAULT_NAMESPACE, Namespace, Settings

Value = str | int | float | bool | tuple[str, ...]
"""What an option can be."""

Kind = Literal["text", "choice", "switch", "count", "seconds", "bytes", "list"]

NAMESPACES: Final = "namespaces"
ANY_NAMESPACE: Final = "NAME"
"""Stands for a namespace's name in the keys of options."""

DEFAULT_NAME: Final = "default"
"""How every source spells the namespace whose key in the tree is empty."""

ENVIRONMENT_PREFIX: Final = "WIREHOP_"
FLAG_ALIASES: Final[Mapping[str, str]] = {"server.host": "--host", "server.port": "--port"}

_NAMESPACE_NAME: Final = re.compile(r"[a-z0-9_-]{1,32}")


class Option(Struct, frozen=True, kw_only=True):
    """One field of the tree. `section` is empty at the root; in a namespace it is `namespaces.NAME`."""

    section: str
    name: str
    kind: Kind
    default: Value
    sentence: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    is_secret: bool = False

    @property
    def key(self) -> str:
        """The dotted name, as in TOML."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def environment(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.key.replace(".", "__").upper()

    @property
    def flag(self) -> str:
        """The long flag. Namespaces are open-ended, so all their options share one."""
        if self.is_of_namespace:
            return "--namespace"
        return "--" + self.key.replace(".", "-").replace("_", "-")

    @property
    def is_of_namespace(self) -> bool:
        """Whether there is one such value per namespace."""
        return self.section.startswith(NAMESPACES)

    def of_namespace(self, name: str) -> "Option":
        """The same option in the namespace that sources call `name`."""
        return Option(
            section=f"{NAMESPACES}.{name}",
            name=self.name,
            kind=self.kind,
            default=self.default,
            sentence=self.sentence,
            choices=self.choices,
            low=self.low,
            high=self.high,
            is_secret=self.is_secret,
        )


class UnknownKeyError(LookupError):
    """No option has this key. `nearest` is the best guess at what was meant, or empty."""

    def __init__(self, key: str, nearest: str) -> None:
        super().__init__(key)
        self.key = key
        self.nearest = nearest


def find(key: str) -> Option:
    """The option with a dotted key; `namespaces.chat.presence` finds the option of the namespace chat."""
    option = OPTIONS.get(key)
    if option is not None and not option.is_of_namespace:
        return option
    first, _, rest = key.partition(".")
    if first != NAMESPACES:
        raise UnknownKeyError(key, _nearest(key, [option.key for option in OPTIONS.values()]))
    name, _, field = rest.partition(".")
    option = OPTIONS.get(f"{NAMESPACES}.{ANY_NAMESPACE}.{field}")
    if option is None:
        fields = [option.name for option in OPTIONS.values() if option.is_of_namespace]
        nearest = _nearest(field, fields)
        raise UnknownKeyError(key, f"{NAMESPACES}.{name or DEFAULT_NAME}.{nearest}" if nearest else "")
    return option.of_namespace(name)


def nearest_section(name: str) -> str:
    """The root key or section most like `name`, or empty."""
    return _nearest(name, Settings.__struct_fields__)


def is_namespace_name(name: str) -> bool:
    """Whether a source may call a namespace that."""
    return _NAMESPACE_NAME.fullmatch(name) is not None


def spelled(name: str) -> str:
    """How sources spell a namespace of the tree."""
    return DEFAULT_NAME if name == DEFAULT_NAMESPACE else name


def unspelled(name: str) -> str:
    """The key in the tree of a namespace as sources spell it."""
    return DEFAULT_NAMESPACE if name == DEFAULT_NAME else name


def value_of(settings: Settings, option: Option) -> Value:
    """The value of an option in a tree; for an option of a namespace, one found by that namespace's name."""
    holder: Struct = settings
    if option.is_of_namespace:
        holder = settings.namespaces[unspelled(option.section.partition(".")[2])]
    elif option.section:
        holder = getattr(settings, option.section)
    value: Value = getattr(holder, option.name)
    return value


def _nearest(name: str, names: Sequence[str]) -> str:
    for candidate in names:
        if candidate.rpartition(".")[2] == name:
            return candidate
    found = get_close_matches(name, names, n=1, cutoff=0.6)
    return found[0] if found else ""


def _options_of(struct: type[Struct], section: str) -> Iterator[Option]:
    hints = get_type_hints(struct, include_extras=True)
    defaults = dict(zip(reversed(struct.__struct_fields__), reversed(struct.__struct_defaults__), strict=False))
    for name in struct.__struct_fields__:
        hint = hints[name]
        if get_origin(hint) is Annotated:
            annotated, meta = get_args(hint)[:2]
            yield _option(section, name, annotated, meta, defaults[name])
        elif isinstance(hint, type) and issubclass(hint, Struct):
            yield from _options_of(hint, name)
        else:
            yield from _options_of(Namespace, f"{name}.{ANY_NAMESPACE}")


def _option(section: str, name: str, annotated: object, meta: Meta, default: Value) -> Option:
    extra = meta.extra or {}
    return Option(
        section=section,
        name=name,
        kind=_kind(annotated, extra["unit"]),
        default=default,
        sentence=meta.description or "",
        choices=tuple(get_args(annotated)) if get_origin(annotated) is Literal else (),
        low=meta.ge,
        high=meta.le,
        is_secret=extra["secret"],
    )


def _kind(annotated: object, unit: Kind | Literal[""]) -> Kind:
    if unit:
        return unit
    if get_origin(annotated) is Literal:
        return "choice"
    if annotated is bool:
        return "switch"
    return "text" if annotated is str else "list"


OPTIONS: Final[Mapping[str, Option]] = {option.key: option for option in _options_of(Settings, "")}
"""Every option by key, in the order of the tree."""
