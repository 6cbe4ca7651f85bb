"""Every option is documented, and reachable from the file, the environment and a flag."""

import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from wirehop.settings import Flags, Loaded, Settings, check, load
from wirehop.settings.describe import reference_page, sample_toml
from wirehop.settings.flags import settings_options
from wirehop.settings.options import ANY_NAMESPACE, OPTIONS, Option, Value, find, value_of
from wirehop.settings.values import show

ALL = [pytest.param(option, id=option.key) for option in OPTIONS.values()]

SECRET = "0123456789abcdef0123456789abcdef"
NEEDS = {
    "server.certificate": {"server.private_key": "key.pem"},
    "server.private_key": {"server.certificate": "chain.pem"},
    "auth.cookie": {"auth.secrets": SECRET},
    "auth.ask_url": {"auth.ask_secret": SECRET},
    "rtc.turn": {"rtc.secret": SECRET},
    "auth.ask_about": {"auth.ask_url": "https://app.example/ask", "auth.ask_secret": SECRET},
}
TEXTS = {
    "server.trusted_proxies": "10.0.0.0/8,::1",
    "origins.allowed": "https://a.example,https://b.example:8443",
    "auth.secrets": f"{SECRET},{SECRET[::-1]}",
    "auth.keys": "https://a.example/keys.json,keys.pem",
    "auth.ask_about": "connect,sub_refresh",
    "auth.ask_url": "https://app.example/ask",
    "demos.ai_url": "https://ai.example/v1",
    "auth.ask_secret": SECRET,
    "auth.cookie": "session",
    "api.key": SECRET,
    "admin.password": SECRET,
    "broker.url": "memory://other",
    "rtc.turn": "coturn://turn.example:3478",
    "rtc.secret": SECRET,
    "rtc.relay_ports": "50000-50100",
    "rtc.allow_peers": "10.0.0.0/8,fd00::/8",
    "rtc.deny_peers": "198.51.100.0/24,2001:db8::/32",
}


def other_value(option: Option) -> tuple[str, Value]:
    """A text that is not the default, and what it means."""
    default = option.default
    if option.kind == "switch":
        return ("false", False) if default else ("true", True)
    if option.kind == "choice":
        other = next(choice for choice in option.choices if choice != default)
        return other, other
    if option.kind == "list":
        text = TEXTS[option.key]
        return text, tuple(text.split(","))
    if option.kind == "count":
        assert isinstance(default, int)
        return str(default + 1), default + 1
    if option.kind == "bytes":
        assert isinstance(default, int)
        return show(option, default * 2), default * 2
    if option.kind == "seconds" and (option.low or 0) > 17:
        return "17m", 17 * 60.0
    if option.kind == "seconds":
        return "4ms" if option.high == 0.005 else "17s", 0.004 if option.high == 0.005 else 17.0
    text = TEXTS.get(option.key, "::1")
    return text, text


def with_name(option: Option) -> Option:
    return option.of_namespace("chat") if option.is_of_namespace else option


def value_in(loaded: Loaded, option: Option) -> Value:
    return value_of(loaded.settings, option)


@pytest.mark.parametrize("option", ALL)
def test_it_says_in_a_sentence_what_it_is(option: Option) -> None:
    assert option.sentence.endswith(".")
    assert option.sentence[0].isupper() or option.sentence[0] == "`"
    assert f"| `{option.name}` |" in reference_page()
    assert f"# {option.name} = " in sample_toml()


@pytest.mark.parametrize("option", ALL)
def test_the_environment_reaches_it(option: Option, tmp_path: Path) -> None:
    option = with_name(option)
    text, value = other_value(option)
    environ = {find(key).environment: needed for key, needed in NEEDS.get(option.key, {}).items()}
    loaded = load(environ={**environ, option.environment: text}, directory=tmp_path)
    assert value_in(loaded, option) == value
    assert loaded.origins[option.key] == option.environment


@pytest.mark.parametrize("option", ALL)
def test_a_file_reaches_it(option: Option, tmp_path: Path) -> None:
    option = with_name(option)
    text, value = other_value(option)
    lines = [f"{key} = '{needed}'" for key, needed in NEEDS.get(option.key, {}).items()]
    if option.kind == "list":
        shown = "[" + ", ".join(f"'{part}'" for part in text.split(",")) + "]"
    else:
        shown = text if option.kind in ("switch", "count") else f"'{text}'"
    (tmp_path / "wirehop.toml").write_text("\n".join([*lines, f"{option.key} = {shown}"]))
    loaded = load(environ={}, directory=tmp_path)
    assert value_in(loaded, option) == value
    assert loaded.origins[option.key] == "wirehop.toml"


@pytest.mark.parametrize("option", ALL)
def test_a_flag_reaches_it(option: Option, tmp_path: Path) -> None:
    option = with_name(option)
    text, value = other_value(option)
    arguments = [f"{find(key).flag}={needed}" for key, needed in NEEDS.get(option.key, {}).items()]
    if option.is_of_namespace:
        arguments += ["--namespace", f"chat.{option.name}={text}"]
    elif option.kind == "switch":
        arguments.append(option.flag if value else option.flag.replace("--", "--no-"))
    else:
        arguments += [option.flag, text]
    seen: list[Loaded] = []

    @click.command()
    @settings_options
    def command(flags: Flags) -> None:
        seen.append(load(flags, environ={}, directory=tmp_path))

    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert value_in(seen[0], option) == value
    assert seen[0].origins[option.key].startswith("--")


def test_names_differ() -> None:
    single = [option for option in OPTIONS.values() if not option.is_of_namespace]
    assert len({option.flag for option in single}) == len(single)
    assert len({option.environment for option in OPTIONS.values()}) == len(OPTIONS)


def test_the_defaults_are_in_range_and_agree() -> None:
    check(Settings())


def test_the_defaults_open_nothing() -> None:
    settings = Settings()
    assert not settings.dev
    assert settings.server.host == "127.0.0.1"
    assert settings.origins.allowed == ()
    assert settings.namespaces[""].subscribe == settings.namespaces[""].publish == "nobody"
    assert not settings.transports.jsonp


def test_the_sample_file_loads_to_the_defaults_commented_or_not(tmp_path: Path) -> None:
    keys = tuple(f"# {option.name} = " for option in OPTIONS.values())
    lines = sample_toml().splitlines()
    opened = "\n".join(line.removeprefix("# ") if line.startswith(keys) else line for line in lines)
    assert tomllib.loads(opened)["namespaces"]["default"]["delivery"] == "log"
    for text in (sample_toml(), opened):
        (tmp_path / "wirehop.toml").write_text(text)
        assert load(environ={}, directory=tmp_path).settings == Settings()


def test_an_option_of_a_namespace_stands_for_all_names() -> None:
    assert OPTIONS[f"namespaces.{ANY_NAMESPACE}.presence"].of_namespace("chat") == find("namespaces.chat.presence")
