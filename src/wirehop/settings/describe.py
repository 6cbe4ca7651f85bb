"""The settings in words: the sample file, the reference page and the rows of `wirehop config`.

It knows the options, and the settings it is given. It does not load any.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from msgspec import Struct

from wirehop.settings.check import options_in
from wirehop.settings.load import DEFAULT_ORIGIN, Loaded
from wirehop.settings.options import ANY_NAMESPACE, DEFAULT_NAME, NAMESPACES, OPTIONS, Option, value_of
from wirehop.settings.tree import Namespace, Settings
from wirehop.settings.values import allowed, show

_WIDTH: Final = 100

_INTRODUCTION: Final = """\
# Settings

Every option has one name, written in the style of each source. The strongest source wins:

| source | example |
| --- | --- |
| flag | `--server-port 9000`, short `--port` and `--host`; `--no-transports-poll` for a switch |
| environment | `WIREHOP_SERVER__PORT=9000` (two underscores between levels); `PORT` sets the port too |
| file | `port = 9000` under `[server]`, in the first of: the file of `--config`, of `WIREHOP_CONFIG`, \
`wirehop.toml`; or under `[tool.wirehop.server]` in `pyproject.toml` |
| the application's code | `node = Node(Settings(server=Server(port=9000)))`, under `wirehop serve app:node` |
| `--dev` | opens everything to everyone on this machine, see below |
| default | as listed here |

Durations are `500ms`, `30s`, `5m`, `1h`, `2d` or plain seconds; sizes are `64KiB`, `1MiB`, `10kB` or plain
bytes. A list is an array in TOML and separated by commas elsewhere. A name that does not exist is an error. A
secret can be read from a file: its variable with `_FILE` added names it. `wirehop config` shows each value
and where it came from, but for those of an application's code: it imports none.

An application's section, or namespace, counts as said where anything in it is not at its default. Then `--dev` opens
nothing in it, and a flag, a variable or a line of a file changes just its own option. Where an application runs the
node itself (`run`, `serve`, `AsgiApp`) only its code counts, unless it calls `wirehop.settings.load`.
"""

_NAMESPACES_NOTE: Final = f"""\
One table per namespace. Names are 1 to 32 of `a-z`, `0-9`, `_` and `-`; `{DEFAULT_NAME}` is the namespace of
channels without a prefix, and the only one that always exists. For a namespace `chat`:

| source | example |
| --- | --- |
| flag | `--namespace chat.history_size=50`; `--namespace chat` alone declares it |
| environment | `WIREHOP_NAMESPACES__CHAT__HISTORY_SIZE=50` |
| file | `history_size = 50` under `[namespaces.chat]` |
"""

_DEV_NOTE: Final = """\
## --dev

The only switch that opens things, and only to this machine: with a host other than loopback it is an error.
What is given explicitly stays. Otherwise, in the namespaces `default` (delivery `log`), `signal` and `latest`
anyone may subscribe and publish, presence, join and leave are on, and history is 100 publications for 5
minutes; JSONP is on, and the admin page asks for no password unless one is set. Beside the pages in
`origins.allowed`, any page of this machine may connect.
"""

_SAMPLE_HEAD: Final = """\
# Settings of wirehop. Every line that is commented out shows its default.
# Flags and environment variables are stronger: --server-port, WIREHOP_SERVER__PORT.
"""


class Row(Struct, frozen=True):
    """One line of `wirehop config`. `value` hides a secret."""

    key: str
    value: str
    origin: str

    @property
    def is_default(self) -> bool:
        """Whether nobody gave it."""
        return self.origin == DEFAULT_ORIGIN


def rows(loaded: Loaded) -> list[Row]:
    """All settings in the order of the tree, namespaces by name."""
    return [
        Row(option.key, show(option, value_of(loaded.settings, option)), loaded.origins[option.key])
        for option in options_in(loaded.settings)
    ]


def sample_toml() -> str:
    """A settings file with every option, commented out, at its default."""
    lines = [_SAMPLE_HEAD]
    for section, options in _sections():
        if section:
            title = section.replace(ANY_NAMESPACE, DEFAULT_NAME)
            lines += [f"# {_about(section)}", f"[{title}]"]
        for option in options:
            lines += [*_comment(option), f"# {option.name} = {_toml(option)}"]
        lines.append("")
    return "\n".join(lines)


def reference_page() -> str:
    """docs/settings.md."""
    lines = [_INTRODUCTION]
    for section, options in _sections():
        lines += [f"## {section}" if section else "## Top level", ""]
        if section:
            lines += [_about(section), ""]
        if section.startswith(NAMESPACES):
            lines.append(_NAMESPACES_NOTE)
        lines += ["| option | default | takes | meaning |", "| --- | --- | --- | --- |"]
        lines += [_table_row(option) for option in options]
        lines.append("")
    lines += [_DEV_NOTE, "## Sample file", "", "```toml", sample_toml().rstrip("\n"), "```", ""]
    return "\n".join(lines)


def _sections() -> Iterator[tuple[str, list[Option]]]:
    for section, options in groupby(OPTIONS.values(), key=lambda option: option.section):
        yield section, list(options)


def _about(section: str) -> str:
    """The first line of the docstring of the section's struct."""
    is_namespace = section.startswith(NAMESPACES)
    struct = Namespace if is_namespace else type(getattr(Settings(), section))
    return (struct.__doc__ or "").partition("\n")[0]


def _table_row(option: Option) -> str:
    default = show(option, option.default)
    note = " Secret." if option.is_secret else ""
    cells = (
        f"`{option.name}`",
        f"`{default}`" if default else "none",
        allowed(option),
        option.sentence + note,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _comment(option: Option) -> list[str]:
    """The sentence and what is allowed, as comment lines."""
    lines = [""]
    for word in f"{option.sentence} ({allowed(option)})".split():
        if len(lines[-1]) + len(word) > _WIDTH - 3:
            lines.append("")
        lines[-1] += f" {word}"
    return [f"#{line}" for line in lines]


def _toml(option: Option) -> str:
    if isinstance(option.default, tuple):
        return "[" + ", ".join(f'"{part}"' for part in option.default) + "]"
    text = show(option, option.default)
    return text if option.kind in ("switch", "count") else f'"{text}"'
