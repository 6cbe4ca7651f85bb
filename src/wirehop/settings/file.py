"""A TOML file as values: `wirehop.toml`, `[tool.wirehop]` of `pyproject.toml`, or a file that somebody names.

It knows files and tables. It does not know which keys exist.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from wirehop.core.errors import SettingsError
from wirehop.settings.values import Given

_OWN_FILE: Final = "wirehop.toml"
_PROJECT_FILE: Final = "pyproject.toml"


def values_of_file(directory: Path, *, named: str = "", named_by: str = "") -> dict[str, Given]:
    """What the file gives, by dotted key; a table without keys is there with the value `{}`.

    `named` is the file that somebody named, relative to `directory`, and `named_by` how. Otherwise the file
    is looked for in `directory`; where none is, there are no values.
    """
    if named:
        path = directory / named
        return _flat(path, _parsed(path, named_by))
    for path in (directory / _OWN_FILE, directory / _PROJECT_FILE):
        if path.is_file():
            found = _flat(path, _parsed(path, "the working directory"))
            if found or path.name == _OWN_FILE:
                return found
    return {}


def _parsed(path: Path, named_by: str) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise SettingsError(
            f"cannot read the settings file {str(path)!r} (named by {named_by}): {error.strerror}",
            origin=named_by,
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {str(path)!r} is not TOML: {error}", origin=str(path)) from None
    if path.name != _PROJECT_FILE:
        return table
    tool = table.get("tool")
    own = tool.get("wirehop", {}) if isinstance(tool, dict) else {}
    return own if isinstance(own, dict) else {}


def _flat(path: Path, table: Mapping[str, object]) -> dict[str, Given]:
    origin = f"{path.name} [tool.wirehop]" if path.name == _PROJECT_FILE else path.name
    return {key: Given(value, origin) for key, value in _leaves(table, "")}


def _leaves(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
