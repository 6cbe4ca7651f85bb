"""The application that `wirehop serve APP` names: imported, checked, and given the settings.

What cannot be used is a `SettingsError` of one sentence that says where to look.
"""

import importlib
import sys
import traceback
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import msgspec

from wirehop.core.errors import SettingsError
from wirehop.node.node import Node
from wirehop.pages.app import demo_settings
from wirehop.settings.load import DEFAULT_ORIGIN, DEV_ORIGIN, Loaded
from wirehop.settings.options import NAMESPACES, OPTIONS, spelled
from wirehop.settings.tree import Auth, Namespace


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
    namespaces = merged(settings.namespaces, node.settings.namespaces, loaded.origins)
    auth = merged_auth(settings.auth, node.settings.auth, loaded.origins)
    node.use(msgspec.structs.replace(settings, namespaces=namespaces, auth=auth))
    return node


def merged(
    chosen: Mapping[str, Namespace], own: Mapping[str, Namespace], origins: Mapping[str, str]
) -> dict[str, Namespace]:
    """The namespaces of an application's node under these settings: what a flag, the environment or a file says wins
    over the code, the code over `--dev`, and that over the defaults. A namespace that the code left as it is counts
    as not said."""
    result = dict(chosen)
    untouched = Namespace()
    for name, coded in own.items():
        if coded == untouched and name in chosen:
            continue
        given = {}
        for option in OPTIONS.values():
            key = f"{NAMESPACES}.{spelled(name)}.{option.name}"
            if option.is_of_namespace and origins.get(key, DEFAULT_ORIGIN) not in (DEFAULT_ORIGIN, DEV_ORIGIN):
                given[option.name] = getattr(chosen[name], option.name)
        result[name] = msgspec.structs.replace(coded, **given)
    return result


def merged_auth(chosen: Auth, own: Auth, origins: Mapping[str, str]) -> Auth:
    """The section `auth` of an application's node under these settings, by the same rule: an application that checks
    tokens by its code still does when a command serves it."""
    if own == Auth():
        return chosen
    given = {
        name: getattr(chosen, name)
        for name in Auth.__struct_fields__
        if origins.get(f"auth.{name}", DEFAULT_ORIGIN) not in (DEFAULT_ORIGIN, DEV_ORIGIN)
    }
    return msgspec.structs.replace(own, **given)


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
