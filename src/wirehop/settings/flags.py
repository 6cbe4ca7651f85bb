"""The settings as flags of a command line: `--server-port 9000`, short `--port` and `--host`.

It knows click and the options. It does not judge values: texts go to `load` with the flag they came from.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

import click

from wirehop.settings.load import Flags
from wirehop.settings.options import FLAG_ALIASES, NAMESPACES, OPTIONS, Option
from wirehop.settings.values import Given, show

_P = ParamSpec("_P")
_R = TypeVar("_R")

_COLLECTED: Final = "wirehop.settings.flags"
_CONFIG_KEY: Final = ""
"""Where `--config` is kept among the collected: no option has an empty key."""


def settings_options(command: Callable[Concatenate[Flags, _P], _R]) -> Callable[_P, _R]:
    """Give a click command all flags of the settings; what was given is its first argument, for `load`."""

    @wraps(command)
    def with_flags(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        return command(_flags(click.get_current_context()), *args, **kwargs)

    decorated: Callable[_P, _R] = with_flags
    for option in reversed(tuple(OPTIONS.values())):
        if not option.is_of_namespace:
            decorated = _click_option(option)(decorated)
    decorated = click.option(
        "--namespace",
        metavar="NAME.OPTION=VALUE",
        multiple=True,
        expose_value=False,
        callback=_keep_namespaces,
        help="An option of a namespace (`default`: channels without a prefix); repeatable.",
    )(decorated)
    return click.option(
        "--config",
        metavar="FILE",
        default=None,
        expose_value=False,
        callback=_keep_config,
        help="TOML file with settings.",
    )(decorated)


def _click_option(option: Option) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    is_switch = option.kind == "switch"
    names = [option.flag]
    if is_switch:
        names = [f"{option.flag}/--no-{option.flag.removeprefix('--')}"]
    elif option.key in FLAG_ALIASES:
        names.insert(0, FLAG_ALIASES[option.key])
    default = show(option, option.default)

    def keep(context: click.Context, _parameter: click.Parameter, given: str | bool | None) -> None:
        if given is None:
            return
        flag = FLAG_ALIASES.get(option.key, option.flag)
        if given is False:
            flag = f"--no-{flag.removeprefix('--')}"
        _collected(context)[option.key] = Given(given, flag)

    return click.option(
        *names,
        default=None,
        metavar=None if is_switch else _metavar(option),
        expose_value=False,
        callback=keep,
        help=f"{option.sentence} [{default}]" if default else option.sentence,
    )


def _metavar(option: Option) -> str:
    if option.kind == "choice":
        return "|".join(option.choices)
    names = {"count": "NUMBER", "seconds": "DURATION", "bytes": "SIZE", "list": "A,B,…"}
    return names.get(option.kind, "TEXT")


def _keep_namespaces(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> None:
    for text in given:
        path, is_value, value = text.partition("=")
        if bool(is_value) != ("." in path) or not path:
            raise click.BadParameter(f"{text!r} is not NAME.OPTION=VALUE", ctx=context, param=parameter)
        _collected(context)[f"{NAMESPACES}.{path}"] = Given(value if is_value else {}, f"--namespace {path}")


def _keep_config(context: click.Context, _parameter: click.Parameter, given: str | None) -> None:
    if given:
        _collected(context)[_CONFIG_KEY] = Given(given, "--config")


def _collected(context: click.Context) -> dict[str, Given]:
    found: dict[str, Given] = context.meta.setdefault(_COLLECTED, {})
    return found


def _flags(context: click.Context) -> Flags:
    values = dict(_collected(context))
    config = values.pop(_CONFIG_KEY, None)
    return Flags(values, str(config.value) if config else "")
