"""Where values come from, the strongest first: flags, environment, TOML file, dev, defaults.

    flags          --server-port 9000, --port 9000, --namespace chat.presence=true
    environment    WIREHOP_SERVER__PORT=9000, PORT=9000; a secret also WIREHOP_BROKER__URL_FILE=/run/url
    file           --config, else WIREHOP_CONFIG, else wirehop.toml, else [tool.wirehop] of pyproject.toml

Under `wirehop serve APP` what the application's code has set comes after the file (`cli.app`). What nobody knows is an
error that suggests the nearest name. It knows sources and their order; `values` knows
what a value may be, `check` what contradicts what. No other place of wirehop reads the environment.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from wirehop.core.errors import SettingsError
from wirehop.settings.check import check, options_in
from wirehop.settings.dev import DEV_VALUES, with_loopback
from wirehop.settings.environment import CONFIG_VARIABLE, values_of_environment
from wirehop.settings.file import values_of_file
from wirehop.settings.options import (
    NAMESPACES,
    OPTIONS,
    Option,
    UnknownKeyError,
    Value,
    find,
    is_namespace_name,
)
from wirehop.settings.tree import Settings
from wirehop.settings.values import Given, build, read

DEFAULT_ORIGIN: Final = "default"
DEV_ORIGIN: Final = "dev"


class Flags(Struct, frozen=True):
    """What the command line gave: texts by dotted key, each with its flag, and the file of `--config`."""

    values: Mapping[str, Given] = field(default_factory=dict)
    config: str = ""


class Loaded(Struct, frozen=True):
    """The settings, and for the dotted key of every option where its value came from."""

    settings: Settings
    origins: dict[str, str]


def load(
    flags: Flags | None = None, *, environ: Mapping[str, str] | None = None, directory: Path | None = None
) -> Loaded:
    """The settings from all sources, checked. Raises `SettingsError`.

    `environ` is the process's environment where not given, `directory` the working directory.
    """
    flags = flags or Flags()
    environ = os.environ if environ is None else environ
    named, named_by = (
        (flags.config, "--config") if flags.config else (environ.get(CONFIG_VARIABLE, ""), CONFIG_VARIABLE)
    )
    given: dict[str, Given] = {
        **values_of_file(directory or Path.cwd(), named=named, named_by=named_by),
        **values_of_environment(environ),
        **flags.values,
    }
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    declared: set[str] = set()
    for key, one in given.items():
        if one.value == {} and _is_table(key):
            declared |= {key.removeprefix(f"{NAMESPACES}.")} if key.startswith(f"{NAMESPACES}.") else set()
            continue
        values[key] = read(_option(key, one.origin), one.value, one.origin)
        origins[key] = one.origin
    if values.get("dev"):
        _open(values, origins)
    settings = build(values, namespaces=declared)
    check(settings, origins)
    return Loaded(settings, {option.key: origins.get(option.key, DEFAULT_ORIGIN) for option in options_in(settings)})


def _open(values: dict[str, Value], origins: dict[str, str]) -> None:
    """Add what dev opens, below what was given; the origins of this machine come on top."""
    for key, value in DEV_VALUES.items():
        if key not in values:
            values[key] = value
            origins[key] = DEV_ORIGIN
    before = values.get("origins.allowed", ())
    if isinstance(before, tuple):
        values["origins.allowed"] = with_loopback(before)
        origin = origins.get("origins.allowed")
        origins["origins.allowed"] = f"{origin} and {DEV_ORIGIN}" if origin else DEV_ORIGIN


def _option(key: str, origin: str) -> Option:
    try:
        option = find(key)
    except UnknownKeyError as error:
        table, _, name = key.partition(".")
        if table == NAMESPACES and name and not is_namespace_name(name.partition(".")[0]):
            raise _bad_name(f"{table}.{name.partition('.')[0]}", origin) from None
        problem = "is no setting"
        if _is_table(key):
            problem = f"is a section, not a setting; write a table [{key}]"
        elif error.nearest:
            problem += f"; did you mean {error.nearest}?"
        else:
            problem += "; `wirehop config` lists all settings"
        raise SettingsError(f"{key} (from {origin}) {problem}", key=key, origin=origin) from None
    if option.is_of_namespace and not is_namespace_name(option.section.partition(".")[2]):
        raise _bad_name(option.section, origin)
    return option


def _is_table(key: str) -> bool:
    """Whether a key is that of a section, of `namespaces`, or of one namespace."""
    section, _, name = key.partition(".")
    if section == NAMESPACES:
        return not name or is_namespace_name(name)
    return not name and any(option.section == section for option in OPTIONS.values())


def _bad_name(key: str, origin: str) -> SettingsError:
    name = key.partition(".")[2]
    hint = '; the default namespace is spelled "default"' if not name else ""
    return SettingsError(
        f"{key} (from {origin}): {name!r} cannot name a namespace; "
        f"allowed: 1 to 32 of the characters a-z, 0-9, _ and -{hint}",
        key=key,
        origin=origin,
    )
