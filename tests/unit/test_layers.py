"""The rooms: what is pure imports nothing impure, and dependencies point down."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import wirehop

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "wirehop"
CLIENT = (
    *("backoff", "calls", "commands", "link", "links", "machine", "messages", "outgoing", "outputs", "presence"),
    *("states", "subscription", "subscriptions"),
)
"""The client's machine and its parts."""
PURE = sorted(
    [
        *(SOURCE / "core").glob("*.py"),
        *(SOURCE / "codecs").glob("*.py"),
        *(SOURCE / "client" / f"{name}.py" for name in CLIENT),
        *(SOURCE / "rtc" / "pure").glob("*.py"),
        *(SOURCE / "advisor").glob("*.py"),
    ]
)
IMPURE = {
    *("asyncio", "concurrent", "contextvars", "datetime", "http", "io", "logging", "multiprocessing", "os", "pathlib"),
    *("queue", "random", "secrets", "select", "selectors", "signal", "socket", "ssl", "subprocess", "sys", "tempfile"),
    *("threading", "time", "urllib", "uuid", "uvloop", "websockets"),
}
MAY_IMPORT = {
    "wirehop",
    "msgspec",
    "base64",
    "binascii",
    "collections",
    "enum",
    "hashlib",
    "heapq",
    "hmac",
    "ipaddress",
    "itertools",
    "math",
    "operator",
    "re",
    "struct",
    "typing",
    "zlib",
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "id", "hash", "breakpoint", "__import__"}


def imported(tree: ast.AST) -> set[str]:
    """The first part of every module that is imported anywhere in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add((node.module or "").split(".")[0])
    return names


def impurities(text: str) -> list[str]:
    """What a machine must not have, by name and line."""
    tree = ast.parse(text)
    found = [f"imports {name}" for name in sorted(imported(tree) & IMPURE)]
    found += [f"imports {name}, which nobody has judged" for name in sorted(imported(tree) - IMPURE - MAY_IMPORT)]
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            found.append(f"waits in line {node.lineno}")
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in IMPURE_CALLS | {"__import__"}
        ):
            found.append(f"calls {node.func.id} in line {node.lineno}")
        if isinstance(node, ast.Global):
            found.append(f"has global state in line {node.lineno}")
    return found


def test_the_pure_rooms_are_there() -> None:
    assert {path.parent.name for path in PURE} == {"core", "codecs", "client", "pure", "advisor"}
    assert len(PURE) > 20


@pytest.mark.parametrize("path", PURE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_pure_module_reads_no_clock_draws_no_number_and_never_waits(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio",
        "def f():\n    from time import monotonic",
        "import os.path",
        "import requests",
        "async def f(): ...",
        "def f():\n    return open('x')",
        "__import__('time')",
    ],
)
def test_the_check_finds_what_is_impure(text: str) -> None:
    assert impurities(text)


@pytest.mark.parametrize("path", sorted((SOURCE / "core").glob("*.py")), ids=lambda path: path.name)
def test_the_core_imports_nothing_of_wirehop_but_itself(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            assert not module.startswith("wirehop") or module.startswith("wirehop.core"), module


def test_the_contracts_of_import_linter_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


def test_no_public_name_is_that_of_a_module_which_would_take_its_place_once_it_is_imported() -> None:
    modules = {path.stem for path in SOURCE.glob("*.py")} | {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    names = {name for name in wirehop.__all__ if not name.startswith("__")}
    assert names & modules == set()
    program = "import wirehop; wirehop.run; import wirehop.cli.serve; print(type(wirehop.serve).__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == ["function"]
