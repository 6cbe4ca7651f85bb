"""The virtual environment of the repository: made once, then kept until pyproject.toml or its Python changes.

It knows venv, pip and the names in pyproject.toml. It does not know what is run in the environment. Standard
library only, and written so that an old Python can still read it and say that it is too old.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)
PYTHONS = ("python3.13", "python3.12", "python3.11")

DEMOS = "demos"
"""The extra that `scripts/dev` needs."""

TEST = "test"
"""The dependency group that `scripts/test` needs."""


class EnvironmentProblem(Exception):
    """The environment cannot be made; the text says why and what to do."""


def use_a_python_that_will_do() -> None:
    """Go on in this Python if it is new enough, else start again in one that is."""
    if sys.version_info[:2] >= OLDEST:
        return
    newer = find_newer_python()
    if newer is None:
        print(
            "wirehop needs Python {}.{} or newer; this is".format(*OLDEST),
            sys.version.split()[0],
            sys.executable,
        )
        print("and none of", ", ".join(PYTHONS), "on PATH works. Install one: https://www.python.org/downloads/")
        raise SystemExit(1)
    sys.exit(run_in_place_of_this([newer, *sys.argv]))


def find_newer_python() -> str | None:
    """The path of the newest Python on PATH that will do, or None."""
    for name in PYTHONS:
        path = shutil.which(name)
        # being there is not enough: pyenv has a shim for every version, chosen or not
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


def run_in_place_of_this(command: list[str]) -> int:
    """Become `command`; where a process cannot (Windows), run it to its end and return its exit code."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execv(command[0], command)  # noqa: S606 - no shell is what we want
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # the child has got Ctrl-C too and ends in its own time


def program(name: str, *, venv: Path = VENV) -> str:
    """The path of a program of the environment."""
    if os.name == "nt":
        return str(venv / "Scripts" / f"{name}.exe")
    return str(venv / "bin" / name)


def ensure(*, groups: tuple[str, ...] = (), root: Path = ROOT) -> None:
    """Make the environment, with the package (editable), the demos' extra and these dependency groups.

    Nothing is done where a stamp says that it is up to date. Raises `EnvironmentProblem`.
    """
    venv = root / ".venv"
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    version = version_of(venv)
    if version is not None and is_up_to_date(read_stamp(venv), key_of(project, version), groups):
        return
    if version is None:
        print(f"making {venv} with Python {sys.version.split()[0]}", flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(venv)], "make the environment")
        version = version_of(venv) or ""
    print(f"installing into {venv}: wirehop[{DEMOS}] {' '.join(groups)}".rstrip(), flush=True)
    stamp_file(venv).unlink(missing_ok=True)
    python = program("python", venv=venv)
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        _run([python, "-m", "ensurepip", "--upgrade"], "install pip")  # an environment that uv made has none
    requirements = [each for group in groups for each in requirements_of_group(project, group)]
    _run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--editable", f"{root}[{DEMOS}]", *requirements],
        "install the packages",
    )  # fmt: skip
    stamp = {"key": key_of(project, version), "groups": sorted(groups)}
    stamp_file(venv).write_text(json.dumps(stamp), encoding="utf-8")


def version_of(venv: Path) -> str | None:
    """The version of an environment's Python; None where there is none, or it is gone, broken or too old."""
    try:
        text = (venv / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return None
    lines = (line.partition("=") for line in text.splitlines())
    values = {name.strip(): value.strip() for name, _, value in lines}
    version = values.get("version") or values.get("version_info") or ""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if len(numbers) < 2 or numbers < OLDEST or not Path(program("python", venv=venv)).exists():
        return None
    return version


def key_of(project: str, version: str) -> str:
    """What the environment was made from, as one word."""
    return hashlib.sha256(f"{version}\n{project}".encode()).hexdigest()


def is_up_to_date(stamp: dict[str, object], key: str, groups: tuple[str, ...]) -> bool:
    """Whether the stamp says that the environment was made from `key` and holds `groups`."""
    held = stamp.get("groups")
    return stamp.get("key") == key and isinstance(held, list) and set(groups) <= set(held)


def stamp_file(venv: Path) -> Path:
    """Where the stamp is."""
    return venv / "wirehop-stamp.json"


def read_stamp(venv: Path) -> dict[str, object]:
    """The stamp, or an empty one."""
    try:
        stamp = json.loads(stamp_file(venv).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def requirements_of_group(project: str, name: str) -> list[str]:
    """The requirements of a dependency group (PEP 735), groups that it includes with it.

    pip knows `--group` only from 25.1 on, so they are read here.
    """
    import tomllib  # not at the top: an older Python has none, and must get as far as saying so

    return _group(tomllib.loads(project).get("dependency-groups", {}), name, ())


def _group(groups: dict[str, list[object]], name: str, above: tuple[str, ...]) -> list[str]:
    if name in above:
        raise EnvironmentProblem(f"pyproject.toml: the dependency group {name!r} includes itself")
    if name not in groups:
        raise EnvironmentProblem(f"pyproject.toml has no dependency group {name!r}")
    found: list[str] = []
    for entry in groups[name]:
        if isinstance(entry, dict):
            found += _group(groups, str(entry["include-group"]), (*above, name))
        else:
            found.append(str(entry))
    return found


def _run(command: list[str], purpose: str) -> None:
    result = subprocess.run(command, check=False)
    if result.returncode != 0:
        hint = " (on Debian and Ubuntu: apt-get install python3-venv)" if "venv" in command else ""
        raise EnvironmentProblem(f"could not {purpose}{hint}: {' '.join(command[:4])} … exited {result.returncode}")
