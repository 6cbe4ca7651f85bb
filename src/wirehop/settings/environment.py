"""Environment variables as values: `WIREHOP_SERVER__PORT`, two underscores between levels.

A secret may also be named by a file that holds it (`WIREHOP_BROKER__URL_FILE`, for mounted secrets). Plain
`PORT` sets the port too. Any other variable that begins with `WIREHOP_` is an error, but for those that
Kubernetes and Docker add by themselves for a service called wirehop.

It knows names of variables; it takes the environment as an argument and reads none.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from wirehop.core.errors import SettingsError
from wirehop.settings.options import ENVIRONMENT_PREFIX, NAMESPACES, OPTIONS, Option
from wirehop.settings.values import Given

CONFIG_VARIABLE: Final = "WIREHOP_CONFIG"
_PORT_VARIABLE: Final = "PORT"
_FILE_SUFFIX: Final = "_FILE"
_NAMESPACE_PREFIX: Final = f"{ENVIRONMENT_PREFIX}{NAMESPACES.upper()}__"

# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_HOST_OR_PORT: Final = re.compile(r"WIREHOP_(?:[A-Z0-9_]+_)?SERVICE_(?:HOST|PORT)(?:_[A-Z0-9_]+)?")
_LINK: Final = re.compile(r"WIREHOP_(?:[A-Z0-9_]+_)?PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?")
_PART_OF_LINK: Final = re.compile(r"WIREHOP_(?:[A-Z0-9_]+_)?PORT_[0-9]+_(?:TCP|UDP|SCTP)_(?:PROTO|PORT|ADDR)")


def values_of_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    """What the environment gives, by dotted key."""
    found: dict[str, Given] = {}
    if environ.get(_PORT_VARIABLE):
        found["server.port"] = Given(environ[_PORT_VARIABLE], _PORT_VARIABLE)
    for variable, text in sorted(environ.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if _is_of_an_orchestrator(variable, text):
            continue
        option = _option_named(variable)
        if option is not None:
            found[option.key] = Given(text, variable)
            continue
        option = _option_named(variable.removesuffix(_FILE_SUFFIX))
        if option is None or not option.is_secret:
            raise _unknown(variable)
        if option.environment in environ:
            raise SettingsError(
                f"{option.key}: both {option.environment} and {variable} are set; give one of them",
                key=option.key,
                origin=variable,
            )
        found[option.key] = Given(_secret_in(Path(text), option, variable), f"{variable} ({text})")
    return found


def _option_named(variable: str) -> Option | None:
    for option in OPTIONS.values():
        if not option.is_of_namespace:
            if option.environment == variable:
                return option
        elif variable.startswith(_NAMESPACE_PREFIX) and variable.endswith(f"__{option.name.upper()}"):
            # the name stands between; it may have underscores of its own
            name = variable[len(_NAMESPACE_PREFIX) : -len(option.name) - 2].lower()
            if name:
                return option.of_namespace(name)
    return None


def _secret_in(path: Path, option: Option, variable: str) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{option.key} (from {variable}): cannot read the file {str(path)!r}: {error}",
            key=option.key,
            origin=variable,
        ) from None


def _is_of_an_orchestrator(variable: str, text: str) -> bool:
    if "__" in variable:
        return False
    if _SERVICE_HOST_OR_PORT.fullmatch(variable) or _PART_OF_LINK.fullmatch(variable):
        return True
    # WIREHOP_PORT=9000 is somebody who means the port; WIREHOP_PORT=tcp://10.0.0.11:8000 is a link
    return "://" in text and _LINK.fullmatch(variable) is not None


def _unknown(variable: str) -> SettingsError:
    names = [option.environment for option in OPTIONS.values() if not option.is_of_namespace]
    name, separator, _ = variable.removeprefix(_NAMESPACE_PREFIX).partition("__")
    if variable.startswith(_NAMESPACE_PREFIX) and separator:
        names = [option.of_namespace(name).environment for option in OPTIONS.values() if option.is_of_namespace]
    ending = [known for known in names if known.endswith(f"__{variable.removeprefix(ENVIRONMENT_PREFIX)}")]
    nearest = (ending or get_close_matches(variable, names, n=1, cutoff=0.6) or [""])[0]
    hint = f"; did you mean {nearest}?" if nearest else "; `wirehop config` lists all settings"
    return SettingsError(f"{variable} is no setting{hint}", key=variable, origin="environment")
