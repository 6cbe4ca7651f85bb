"""The floor: a C program that only frames a publication once and sends it to everybody. Built where it can be.

Its sources lie in `floor/`, inside the package. It uses epoll, so it is for Linux.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).resolve().parent / "floor"
COMPILE_SECONDS: Final = 60.0


def no_floor_because() -> str:
    """Why there is no floor here; empty where there can be one."""
    if sys.platform != "linux":
        return "the C program that wirehop is compared with needs Linux"
    if find_compiler() is None:
        return "no C compiler (cc, gcc or clang): nothing to compare with"
    return ""


def find_compiler() -> str | None:
    """The path of a C compiler: `CC`, or the first that is there."""
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        if name and (path := shutil.which(name)):
            return path
    return None


def build_floor(folder: Path) -> tuple[Path | None, str]:
    """Compile it into `folder`: the program, or None and why not."""
    if why := no_floor_because():
        return None, why
    program = folder / "floor"
    command = [str(find_compiler()), "-O2", "-o", str(program), *map(str, sorted(SOURCES.glob("*.c")))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"the C program could not be compiled: {error}"
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[0]
        return None, f"the C program could not be compiled: {said}"
    return program, ""
