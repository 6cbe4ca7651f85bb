"""The parts of the environment's script that run no other program."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Script = Callable[[str], ModuleType]


@pytest.fixture
def environment(script: Script) -> ModuleType:
    return script("environment.py")


def make_venv(directory: Path, config: str) -> Path:
    venv = directory / ".venv"
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    python.parent.mkdir(parents=True)
    python.touch()
    (venv / "pyvenv.cfg").write_text(config)
    return venv


PROJECT = """
[dependency-groups]
lint = ["ruff>=0.9"]
test = ["pytest>=8", {include-group = "lint"}, "hypothesis"]
loop = [{include-group = "loop"}]
"""


def test_a_group_is_read_with_the_groups_it_includes(environment: ModuleType) -> None:
    assert environment.requirements_of_group(PROJECT, "test") == ["pytest>=8", "ruff>=0.9", "hypothesis"]


@pytest.mark.parametrize("group", ["gone", "loop"])
def test_a_group_that_cannot_be_read_says_so(environment: ModuleType, group: str) -> None:
    with pytest.raises(environment.EnvironmentProblem, match=group):
        environment.requirements_of_group(PROJECT, group)


def test_the_repository_has_the_group_that_the_tests_need(environment: ModuleType) -> None:
    project = (environment.ROOT / "pyproject.toml").read_text()
    assert any(each.startswith("pytest>") for each in environment.requirements_of_group(project, environment.TEST))


def test_the_key_changes_with_the_project_and_with_the_python(environment: ModuleType) -> None:
    keys = {environment.key_of(project, version) for project in ("a", "b") for version in ("3.11.7", "3.12.1")}
    assert len(keys) == 4


def test_an_environment_is_up_to_date_when_it_holds_at_least_the_groups(environment: ModuleType) -> None:
    stamp = {"key": "k", "groups": ["test"]}
    assert environment.is_up_to_date(stamp, "k", ())
    assert environment.is_up_to_date(stamp, "k", ("test",))
    assert not environment.is_up_to_date(stamp, "k", ("test", "docs"))
    assert not environment.is_up_to_date(stamp, "other", ())
    assert not environment.is_up_to_date({}, "k", ())


def test_a_stamp_that_is_not_there_or_not_json_is_empty(environment: ModuleType, tmp_path: Path) -> None:
    assert environment.read_stamp(tmp_path) == {}
    environment.stamp_file(tmp_path).write_text("{")
    assert environment.read_stamp(tmp_path) == {}
    environment.stamp_file(tmp_path).write_text("[]")
    assert environment.read_stamp(tmp_path) == {}


@pytest.mark.parametrize("config", ["home = /usr\nversion = 3.11.7\n", "version_info = 3.13.0.final.0\n"])
def test_the_version_of_an_environment_is_read(environment: ModuleType, tmp_path: Path, config: str) -> None:
    assert environment.version_of(make_venv(tmp_path, config)).startswith("3.1")


@pytest.mark.parametrize("config", ["", "version = 3.10.13\n", "version = soon\n"])
def test_an_environment_that_is_too_old_or_broken_has_none(
    environment: ModuleType, tmp_path: Path, config: str
) -> None:
    assert environment.version_of(make_venv(tmp_path, config)) is None


def test_an_environment_whose_python_is_gone_has_none(environment: ModuleType, tmp_path: Path) -> None:
    venv = make_venv(tmp_path, "version = 3.11.7\n")
    Path(environment.program("python", venv=venv)).unlink()
    assert environment.version_of(venv) is None
    assert environment.version_of(tmp_path / "nowhere") is None


def test_nothing_is_run_where_the_stamp_is_right(
    environment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    venv = make_venv(tmp_path, "version = 3.11.7\n")
    key = environment.key_of(PROJECT, "3.11.7")
    environment.stamp_file(venv).write_text(f'{{"key": "{key}", "groups": ["test"]}}')
    monkeypatch.setattr(environment.subprocess, "run", None)
    environment.ensure(groups=("test",), root=tmp_path)
    environment.ensure(root=tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for Python")
def test_a_python_that_does_not_run_is_not_found(
    environment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, code in (("python3.13", 127), ("python3.12", 0), ("python3.11", 0)):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\nexit {code}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.find_newer_python() == str(tmp_path / "python3.12")
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert environment.find_newer_python() is None
