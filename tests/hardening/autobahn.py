"""Autobahn's test suite for WebSocket: where it is installed, and one run of its fuzzing client.

The suite runs under Python 2.7 only. Where such a Python is found it gets a virtual environment in `.cache/autobahn`,
made once and kept; nothing is installed elsewhere.
"""

import functools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".cache" / "autobahn"
PACKAGE = "autobahntestsuite==25.10.1"
INSTALL_SECONDS = 300.0
ATTEMPTS = 3
GOOD = ("OK", "NON-STRICT", "INFORMATIONAL")

DEFAULT = [f"{group}.*" for group in range(1, 12)]
"""The groups that run every time: all but compression."""
COMPRESSION = ["12.*", "13.*"]


class Unavailable(Exception):
    """The suite cannot run here; the text says why."""


@functools.cache
def python27() -> tuple[str, ...]:
    """The command of a Python 2.7 that runs. pyenv has a shim for each version, chosen or not."""
    candidates = [str(path) for path in sorted(Path.home().glob(".pyenv/versions/2.7*/bin/python2.7"), reverse=True)]
    root = os.environ.get("PYENV_ROOT")
    if root:
        candidates += [str(path) for path in sorted(Path(root).glob("versions/2.7*/bin/python2.7"), reverse=True)]
    candidates += [path for path in map(shutil.which, ("python2.7", "python2")) if path]
    for each in candidates:
        asked = [each, "-c", "import sys; sys.exit(sys.version_info[:2] != (2, 7))"]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return (each,)
    raise Unavailable("Autobahn's test suite needs Python 2.7, and no python2.7 here runs")


def wstest() -> Path:
    """The suite's program, installed if it is not. Raises `Unavailable`; an installation that fails is an error."""
    program = PLACE / "v27" / "bin" / "wstest"
    stamp = PLACE / "installed"
    if stamp.exists() and stamp.read_text() == PACKAGE and program.exists():
        return program
    python = python27()[0]
    problem = ""
    for _ in range(ATTEMPTS):
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir(parents=True)
        try:
            _install(python)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            problem = f"{error}\n{str(error.stderr or '')[-2000:]}"
            time.sleep(2)
        else:
            stamp.write_text(PACKAGE)
            return program
    raise AssertionError(f"{PACKAGE} could not be installed in {ATTEMPTS} attempts: {problem}")


def _install(python: str) -> None:
    boot = PLACE / "boot"
    quiet = ["--quiet", "--disable-pip-version-check"]
    environ = {**os.environ, "PYTHONPATH": str(boot), "PYTHONNOUSERSITE": "1"}
    plain = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    _run([python, "-m", "pip", "install", *quiet, "--target", str(boot), "virtualenv<20.22"], plain)
    _run([python, "-m", "virtualenv", "--quiet", str(PLACE / "v27")], environ)
    _run([str(PLACE / "v27" / "bin" / "pip"), "install", *quiet, PACKAGE], plain)


def _run(command: list[str], environ: dict[str, str]) -> None:
    subprocess.run(command, env=environ, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)


def run(port: int, cases: list[str], place: Path, *, seconds: float) -> dict[str, dict[str, Any]]:
    """Run these cases against the server on `port`: by case, what the suite found."""
    spec = {
        "outdir": str(place / "report"),
        "servers": [{"agent": "wirehop", "url": f"ws://127.0.0.1:{port}"}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (place / "spec.json").write_text(json.dumps(spec))
    command = [str(wstest()), "-m", "fuzzingclient", "-s", str(place / "spec.json")]
    done = subprocess.run(
        command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False
    )
    index = place / "report" / "index.json"
    assert index.exists(), done.stdout.decode(errors="replace")[-3000:]
    found: dict[str, dict[str, Any]] = json.loads(index.read_text())["wirehop"]
    return found
