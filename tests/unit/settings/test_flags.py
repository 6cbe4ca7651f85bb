"""The flags of a command."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from wirehop.settings import Flags
from wirehop.settings.flags import settings_options
from wirehop.settings.options import OPTIONS
from wirehop.settings.values import Given


def run(*arguments: str) -> tuple[Flags | None, str, int]:
    seen: list[Flags] = []

    @click.command()
    @click.argument("words", nargs=-1)
    @settings_options
    def command(flags: Flags, words: tuple[str, ...]) -> None:
        seen.append(flags)

    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    return (seen[0] if seen else None), result.output, result.exit_code


def test_nothing_given_is_nothing_collected() -> None:
    flags, _, _ = run()
    assert flags == Flags()


def test_the_short_names_are_the_same_options() -> None:
    for name in ("--port", "--server-port"):
        flags, _, _ = run(name, "9000", "word")
        assert flags == Flags({"server.port": Given("9000", "--port")})
    flags, _, _ = run("--host", "::1")
    assert flags == Flags({"server.host": Given("::1", "--host")})


def test_a_switch_goes_both_ways() -> None:
    flags, _, _ = run("--dev", "--no-transports-poll")
    assert flags is not None
    assert flags.values == {
        "dev": Given(True, "--dev"),
        "transports.poll": Given(False, "--no-transports-poll"),
    }


def test_a_namespace_is_declared_or_set() -> None:
    flags, _, _ = run("--namespace", "chat", "--namespace", "news.publish=anyone")
    assert flags is not None
    assert flags.values == {
        "namespaces.chat": Given({}, "--namespace chat"),
        "namespaces.news.publish": Given("anyone", "--namespace news.publish"),
    }


@pytest.mark.parametrize("text", ["", "chat=1", "chat.presence", "=1"])
def test_a_namespace_of_another_form_is_a_usage_error(text: str) -> None:
    _, output, code = run("--namespace", text)
    assert code == 2
    assert "NAME.OPTION=VALUE" in output


def test_the_file_is_apart(tmp_path: Path) -> None:
    flags, _, _ = run("--config", str(tmp_path / "x.toml"))
    assert flags == Flags(config=str(tmp_path / "x.toml"))


def test_the_help_names_every_flag() -> None:
    _, output, _ = run("--help")
    for option in OPTIONS.values():
        assert option.flag in output
