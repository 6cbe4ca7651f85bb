"""`wirehop advise`, as it is called."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from wirehop.cli.advise import advise
from wirehop.core.errors import SettingsError
from wirehop.measured.profile import Figure, Profile

WIREHOP = str(Path(sys.executable).with_name("wirehop"))
SECONDS = 30.0


def called(*arguments: str) -> Result:
    """Called; `return_value` is what the program exits with."""
    return CliRunner().invoke(advise, arguments, catch_exceptions=False, standalone_mode=False)


def test_options_are_answers() -> None:
    text = "--down 20/s --up 2/s --payload 300 --loss none --users 5000 --fanout 50 --net mobile --browsers 2020+"
    done = called(*text.split(), "--json")
    assert done.return_value == 0
    advice = json.loads(done.output)
    assert advice["main"] == "websocket"
    facts = advice["facts"]
    assert (facts["down"], facts["up"], facts["payload"], facts["users"]) == (20, 2, 300, 5000)
    assert (facts["networks"], facts["browsers"]) == (["mobile"], 2020)
    assert {"down", "networks"}.isdisjoint(advice["assumed"])


def test_a_scenario_is_a_beginning_that_options_change() -> None:
    assert json.loads(called("--scenario", "ai", "--json").output)["main"] == "sse"
    changed = json.loads(
        called("--scenario", "ai", "--hosting", "serverless", "--without", "sse,stream", "--json").output
    )
    assert changed["main"] == "long-poll"
    assert called("--scenario", "market", "--brief").output.startswith("WebSocket, falling back to")


def test_a_profile_of_ones_own_is_reasoned_with(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    profile = Profile(figures={"memory/websocket": Figure(12_000.0, "bytes")})
    file.write_bytes(msgspec.json.encode(profile))
    asked = ("--direction", "both", "--users", "1000", "--json", "--profile")
    assert json.loads(called(*asked, str(file)).output)["cost"]["items"]["memory"]["value"] == pytest.approx(0.012)
    with pytest.raises(SettingsError, match="cannot read the profile"):
        called(*asked, str(tmp_path / "none.json"))
    file.write_text("{")
    with pytest.raises(SettingsError, match="is no profile"):
        called(*asked, str(file))


def test_prices_make_money(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_bytes(msgspec.json.encode(Profile(figures={"cpu/websocket": Figure(10.0, "µs")})))
    arguments = ("--direction", "both", "--down", "10", "--users", "1000", "--profile", str(file), "--json")
    items = json.loads(called(*arguments, "--price-core", "30").output)["cost"]["items"]
    assert items["money"]["value"] == pytest.approx(0.1 * 30)
    assert json.loads(called(*arguments).output)["cost"]["items"]["money"]["value"] is None


def test_what_is_no_answer_is_a_sentence() -> None:
    with pytest.raises(click.BadParameter, match="loss is 'some'; one of none, latest, any"):
        called("--loss", "some")


def test_where_nothing_is_left_it_fails_and_says_why() -> None:
    done = called("--other-origin", "no-cors", "--without", "jsonp")
    assert done.return_value == 1
    assert done.output.startswith("Nothing is left: rules ")


def test_an_application_is_commented_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"advised_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text(
        "from wirehop import Namespace, Node\n"
        'node = Node(namespaces={"cursors": Namespace(subscribe="signed-in", publish="signed-in", presence=True)})\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    done = called(f"{name}:node", "--fanout", "20k", "--loss", "latest")
    assert done.return_value == 1
    assert "! namespaces.cursors.delivery: every value is kept" in done.output
    assert "! namespaces.cursors.presence: a list of 20,000 people" in done.output
    declared = json.loads(called(f"{name}:node", "--json").output)
    assert [each["advice"]["main"] for each in declared["channels"]] == ["websocket"]


def test_on_a_terminal_it_asks() -> None:
    outside, inside = pty.openpty()
    environ = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
    with subprocess.Popen(
        [WIREHOP, "advise", "--brief"], stdin=inside, stdout=inside, stderr=inside, env=environ
    ) as it:
        os.close(inside)
        seen = told(outside, "Who sends")
        os.write(outside, b"sideways\n")
        seen += told(outside, "one of down, up, both")
        for answer in (b"both\n", b"20/s\n", b".\n"):
            os.write(outside, answer)
        seen += told(outside, "Would change if")
        it.wait(SECONDS)
    os.close(outside)
    assert it.returncode == 0
    assert "WebSocket, falling back to" in seen


def told(terminal: int, what: str) -> str:
    """What is written until that comes."""
    seen, deadline = "", time.monotonic() + SECONDS
    while what not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 4096).decode(errors="replace")
    return seen
