"""The application behind `wirehop serve APP`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirehop.cli.app import load_app, merged, merged_auth
from wirehop.core.errors import SettingsError
from wirehop.settings.load import Flags, load
from wirehop.settings.tree import Auth, Namespace
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
    found = merged(chosen, own, origins)
    assert found["chat"] == Namespace(publish="anyone", history_size=5, presence=True)
    assert found["mine"] == Namespace(history_size=3)
    assert found[""] == OPEN


def test_an_application_that_checks_tokens_by_its_code_still_does_when_it_is_served() -> None:
    own = Auth(secrets=("by code",), audience="by code")
    assert merged_auth(Auth(anonymous=True, audience="by flag"), own, {"auth.anonymous": "dev"}) == own
    chosen = Auth(audience="by flag", leeway=1)
    found = merged_auth(chosen, own, {"auth.audience": "--auth-audience"})
    assert found == Auth(secrets=("by code",), audience="by flag")
    assert merged_auth(chosen, Auth(), {}) == chosen


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
