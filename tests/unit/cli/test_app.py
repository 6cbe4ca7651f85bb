"""The application behind `wirehop serve APP`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from wirehop.cli.app import load_app, merged, merged_namespaces
from wirehop.core.errors import SettingsError
from wirehop.settings.load import Flags, load
from wirehop.settings.options import OPTIONS, Option, value_of
from wirehop.settings.tree import Auth, Heartbeat, Limits, Namespace, Origins, Server, Settings
from wirehop.settings.values import Given

OPEN = Namespace(subscribe="anyone", publish="anyone")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory whose modules are forgotten afterwards."""
    before, path = set(sys.modules), list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.startswith("app_"):
            del sys.modules[name]


def test_what_the_settings_say_wins_over_the_code_and_the_code_over_dev() -> None:
    chosen = {"": OPEN, "chat": Namespace(presence=True, history_size=7)}
    own = {"chat": Namespace(publish="anyone", history_size=5), "mine": Namespace(history_size=3)}
    origins = {"namespaces.chat.presence": "--namespace chat.presence", "namespaces.chat.history_size": "dev"}
    found = merged_namespaces(chosen, own, origins)
    assert found["chat"] == Namespace(publish="anyone", history_size=5, presence=True)
    assert found["mine"] == Namespace(history_size=3)
    assert found[""] == OPEN


def test_an_application_that_checks_tokens_by_its_code_still_does_when_it_is_served() -> None:
    own = Settings(auth=Auth(secrets=("by code",), audience="by code"))
    under_dev = Settings(auth=Auth(anonymous=True, audience="by flag"))
    assert merged(under_dev, own, {"auth.anonymous": "dev"}).auth == own.auth
    chosen = Settings(auth=Auth(audience="by flag", leeway=1))
    found = merged(chosen, own, {"auth.audience": "--auth-audience"})
    assert found.auth == Auth(secrets=("by code",), audience="by flag")
    assert merged(chosen, Settings(), {}).auth == chosen.auth


def test_every_section_that_the_code_sets_holds_unless_it_is_said_otherwise() -> None:
    own = Settings()
    origins = {}
    for option in OPTIONS.values():  # the first option of each section is by code, all others are by flag
        if option.is_of_namespace:
            continue
        if not option.section:
            own = replace(own, **{option.name: _other(option)})
        elif getattr(own, option.section) == getattr(Settings(), option.section):
            section = replace(getattr(own, option.section), **{option.name: _other(option)})
            own = replace(own, **{option.section: section})
        else:
            origins[option.key] = option.flag
    chosen = Settings(limits=Limits(channels=7), server=Server(port=9000), heartbeat=Heartbeat(interval=3.0))
    origins |= {"server.port": "--port", "limits.channels": "WIREHOP_LIMITS__CHANNELS", "heartbeat.interval": "file"}
    found = merged(chosen, replace(own, dev=False), origins)
    for option in OPTIONS.values():
        if not option.is_of_namespace and option.key != "dev":
            expected = value_of(chosen if option.key in origins else own, option)
            assert value_of(found, option) == expected, option.key


def _other(option: Option) -> object:
    """A value that is not the default."""
    match option.kind:
        case "switch":
            return not option.default
        case "choice":
            return option.choices[-1]
        case "list":
            return ("https://other.example",)
        case "text":
            return f"{option.default}x"
    return 1234


def test_dev_by_code_holds_and_adds_the_pages_of_this_machine_to_its_origins() -> None:
    own = Settings(dev=True, origins=Origins(allowed=("https://a.example",)))
    assert merged(Settings(), own, {}).dev
    assert merged(Settings(), own, {}).origins.allowed == ("https://a.example", "loopback")
    assert not merged(Settings(), own, {"dev": "--no-dev"}).dev
    assert merged(Settings(), own, {"dev": "--no-dev"}).origins == own.origins


def test_what_the_code_sets_reaches_the_node_and_a_flag_is_stronger(directory: Path) -> None:
    (directory / "app_sets.py").write_text(
        "from wirehop import Node, Settings\n"
        "from wirehop.settings.tree import Admin, Heartbeat, Idempotency, Limits, Server\n"
        "node = Node(Settings(limits=Limits(sessions=3, channels=9), heartbeat=Heartbeat(interval=7.0),\n"
        "    admin=Admin(password='by code!'), idempotency=Idempotency(keep=11.0), server=Server(port=0)))\n"
    )
    loaded = load(Flags({"limits.sessions": Given("4", "--limits-sessions")}), environ={}, directory=directory)
    settings = load_app("app_sets", loaded).settings
    assert settings.limits == Limits(sessions=4, channels=9)
    assert (settings.heartbeat.interval, settings.idempotency.keep, settings.server.port) == (7.0, 11.0, 0)
    assert settings.admin.password == "by code!"


def test_the_code_and_the_settings_together_are_checked(directory: Path) -> None:
    source = "from wirehop import Node, Settings\nfrom wirehop.settings.tree import Server\n"
    (directory / "app_wide.py").write_text(source + "node = Node(Settings(server=Server(host='0.0.0.0')))\n")
    loaded = load(Flags({"dev": Given(True, "--dev")}), environ={}, directory=directory)
    with pytest.raises(SettingsError, match=r"server\.host \(from code\) is '0\.0\.0\.0', but dev") as caught:
        load_app("app_wide", loaded)
    assert caught.value.key == "server.host"


def test_dev_opens_the_default_namespace_of_a_node_that_says_nothing_about_it(directory: Path) -> None:
    (directory / "app_plain.py").write_text("from wirehop import Node\nnode = Node()\n")
    loaded = load(Flags({"dev": Given(True, "--dev")}), environ={}, directory=directory)
    node = load_app("app_plain", loaded)
    assert node.settings.namespaces[""].publish == "anyone"
    assert node.policy.permits("publish", "room", "")


def test_without_dev_it_stays_closed(directory: Path) -> None:
    (directory / "app_closed.py").write_text("from wirehop import Node\nnode = Node()\n")
    node = load_app("app_closed:node", load(Flags(), environ={}, directory=directory))
    assert not node.policy.permits("publish", "room", "")


@pytest.mark.parametrize(
    ("source", "name", "sentence"),
    [
        (None, "app_none:node", "cannot import 'app_none': No module named 'app_none'"),
        ("node = 1\n", "app_bad", "app_bad:node is a int, not a wirehop.Node"),
        (
            "from wirehop import Node\nnode = Node()\n",
            "app_bad:nod",
            "app_bad has no 'nod'; did you mean app_bad:node?",
        ),
        (
            "x = 1\nnode = 1 / 0\n",
            "app_bad",
            "cannot import 'app_bad': ZeroDivisionError: division by zero (app_bad.py, line 2)",
        ),
        ("import app_missing\n", "app_bad", "cannot import 'app_bad': No module named 'app_missing'"),
        ("def\n", "app_bad", "cannot import 'app_bad': SyntaxError: invalid syntax (app_bad.py, line 1)"),
        (None, ":node", "cannot import '': ValueError: Empty module name"),
    ],
)
def test_an_app_that_cannot_be_used_is_one_sentence(
    directory: Path, source: str | None, name: str, sentence: str
) -> None:
    if source is not None:
        (directory / "app_bad.py").write_text(source)
    with pytest.raises(SettingsError) as caught:
        load_app(name, load(Flags(), environ={}, directory=directory))
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
