"""The application that `wirehop serve APP` names: imported, checked, and given the settings.

What its code has set stays, unless a flag, the environment or a file says otherwise; the code is stronger than `--dev`
and the defaults. What cannot be used is a `SettingsError` of one sentence that says where to look.
"""

import importlib
import sys
import traceback
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from wirehop.core.errors import SettingsError
from wirehop.node.node import Node
from wirehop.pages.app import demo_settings
from wirehop.settings.check import check
from wirehop.settings.dev import with_loopback
from wirehop.settings.load import DEFAULT_ORIGIN, DEV_ORIGIN, Loaded
from wirehop.settings.options import NAMESPACES, spelled
from wirehop.settings.tree import Namespace, Origins, Settings

Section = TypeVar("Section", bound=Struct)
_UNSAID = (DEFAULT_ORIGIN, DEV_ORIGIN)
"""Origins that are weaker than an application's code."""


def load_app(name: str, loaded: Loaded) -> Node:
    """Import `module:node`, and give the node these settings."""
    module_name, _, attribute = name.partition(":")
    attribute = attribute or "node"
    module = _import(module_name.removesuffix(".py").replace("/", "."))
    node = getattr(module, attribute, None)
    if node is None:
        near = get_close_matches(attribute, [key for key, value in vars(module).items() if isinstance(value, Node)])
        hint = f"; did you mean {module_name}:{near[0]}?" if near else ""
        raise SettingsError(f"{module_name} has no {attribute!r}{hint}", key="app")
    if not isinstance(node, Node):
        raise SettingsError(f"{module_name}:{attribute} is a {type(node).__name__}, not a wirehop.Node", key="app")
    settings = demo_settings(loaded.settings) if loaded.settings.dev else loaded.settings
    result = merged(settings, node.settings, loaded.origins)
    check(result, {key: origin for key, origin in loaded.origins.items() if origin != DEFAULT_ORIGIN})
    node.use(result)
    return node


def merged(chosen: Settings, own: Settings, origins: Mapping[str, str]) -> Settings:
    """The settings of an application's node (`own`) under these (`chosen`): what a flag, the environment or a file says
    wins over the code, the code over `--dev`, and that over the defaults. A section or namespace counts as a whole: one
    that the code left as it is counts as not said, and in one that it wrote `--dev` opens nothing but, as with origins
    from a file, the pages of this machine."""
    untouched = Settings()
    sections: dict[str, object] = {}
    for name in Settings.__struct_fields__:
        coded, wanted = getattr(own, name), getattr(chosen, name)
        if name == NAMESPACES:
            sections[name] = merged_namespaces(wanted, coded, origins)
        elif coded == getattr(untouched, name):
            sections[name] = wanted
        elif isinstance(coded, Struct):
            sections[name] = _over(coded, wanted, name, origins)
        else:  # at the root
            sections[name] = coded if origins.get(name, DEFAULT_ORIGIN) in _UNSAID else wanted
    result = msgspec.structs.replace(own, **sections)
    if not result.dev:
        return result
    return msgspec.structs.replace(result, origins=Origins(allowed=with_loopback(result.origins.allowed)))


def merged_namespaces(
    chosen: Mapping[str, Namespace], own: Mapping[str, Namespace], origins: Mapping[str, str]
) -> dict[str, Namespace]:
    """The namespaces, each as `merged` does with a section."""
    result = dict(chosen)
    untouched = Namespace()
    for name, coded in own.items():
        if name not in chosen:
            result[name] = coded
        elif coded != untouched:
            result[name] = _over(coded, chosen[name], f"{NAMESPACES}.{spelled(name)}", origins)
    return result


def _over(coded: Section, chosen: Section, section: str, origins: Mapping[str, str]) -> Section:
    """A section that the code wrote, with what was said explicitly."""
    given = {
        name: getattr(chosen, name)
        for name in chosen.__struct_fields__
        if origins.get(f"{section}.{name}", DEFAULT_ORIGIN) not in _UNSAID
    }
    return msgspec.structs.replace(coded, **given)


def _import(name: str) -> object:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise SettingsError(f"cannot import {name!r}: {error}", key="app") from None
    except Exception as error:  # the application's own: say where
        frames = traceback.extract_tb(error.__traceback__)
        at = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
        text = f"cannot import {name!r}: {type(error).__name__}: {error}"
        raise SettingsError(text if isinstance(error, SyntaxError) else text + at, key="app") from error
