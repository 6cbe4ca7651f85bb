"""What the jobs of the board do. A program of its own, on the standard library alone:

    python work.py check | test METHOD SIZE [--fails] | package | release | flood COUNT RATE | stubborn | tidy

It writes as build tools do: colours, groups that fold (`::group::`), progress that overwrites itself, exit codes.
"""
# ruff: noqa: T201 - to print is what it is for

import ast
import hashlib
import io
import lzma
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[3]  # of the package that is checked and packed
SIZES = {"small": 16_384, "large": 1_048_576}
RED, GREEN, YELLOW, BLUE, GREY, BOLD, OFF = (f"\033[{code}m" for code in ("31", "32", "33", "34", "90", "1", "0"))


def check(_random: Random) -> int:
    """Read every module: functions, classes, and those that are long."""
    rooms: dict[str, list[Path]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0]
        rooms.setdefault(room if not room.endswith(".py") else "top", []).append(path)
    modules = functions = warnings = 0
    for room, paths in rooms.items():
        print(f"::group::{room} ({len(paths)} modules)")
        for path in paths:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            print(f"  {GREEN}✓{OFF} {path.relative_to(ROOT)} {GREY}{len(found)} functions{OFF}")
            for each in found:
                length = (each.end_lineno or each.lineno) - each.lineno
                if length > 50:
                    warnings += 1
                    print(f"    {YELLOW}warning:{OFF} {BOLD}{each.name}{OFF} has {length} lines (line {each.lineno})")
            modules += 1
            functions += len(found)
        print("::endgroup::")
    print(f"{BOLD}{modules} modules, {functions} functions, {YELLOW}{warnings} warnings{OFF}")
    return 0


METHODS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "zlib": (zlib.compress, zlib.decompress),
    "lzma": (lambda data: lzma.compress(data, preset=0), lzma.decompress),
    "xor": (lambda data: bytes(each ^ 0x5A for each in data), lambda data: bytes(each ^ 0x5A for each in data)),
}


def test(random: Random, method: str, size: str, *flags: str) -> int:
    """There and back again: what comes out must be what went in."""
    there, back = METHODS[method]
    print(f"{BLUE}{BOLD}{method}{OFF} with blocks of {SIZES[size] // 1024} KiB, Python {sys.version.split()[0]}")
    print("::group::cases")
    for number in range(1, 13):
        data = random.randbytes(SIZES[size] // 8) + bytes(SIZES[size] * 7 // 8)
        began = time.perf_counter()
        came = back(there(data))
        if number == 9 and "--fails" in flags:  # the disk of this runner has a bad block, the first time
            came = came[:-1] + b"\x01"
        took = (time.perf_counter() - began) * 1000
        is_good = hashlib.sha256(came).digest() == hashlib.sha256(data).digest()
        verdict = f"{GREEN}PASSED{OFF}" if is_good else f"{RED}{BOLD}FAILED{OFF}"
        print(f"test_there_and_back[{method}-{size}-{number:02}] {verdict} {GREY}{took:7.2f} ms{OFF}")
        if not is_good:
            print("::endgroup::")
            print(
                f"{RED}AssertionError: the last of {len(came)} bytes is {came[-1]}, and was {data[-1]}{OFF}",
                file=sys.stderr,
            )
            print(f"{RED}{BOLD}1 failed{OFF}, {GREEN}{number - 1} passed{OFF}")
            return 1
        time.sleep(0.04)
    print("::endgroup::")
    print(f"{GREEN}{BOLD}12 passed{OFF}")
    return 0


def package(_random: Random) -> int:
    """Pack it, and say what of it is how large."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        print("::group::files")
        for path in sorted(ROOT.rglob("*.py")):
            archive.write(path, path.relative_to(ROOT))
            info = archive.infolist()[-1]
            print(f"  {info.file_size:>7} → {info.compress_size:>6}  {info.filename}")
        print("::endgroup::")
    data = packed.getvalue()
    print(f"{BOLD}{len(data):,} bytes{OFF}, sha256 {GREY}{hashlib.sha256(data).hexdigest()}{OFF}")
    return 0


def release(random: Random) -> int:
    """Step by step, with a bar that overwrites itself."""
    for step in range(1, 11):
        time.sleep(0.1 + random.random() / 5)
        name = f"{BOLD}node {step:02}{OFF}"
        bars = [f"\r{name} {BLUE}{'█' * part}{GREY}{'░' * (20 - part)}{OFF} {part * 5:3} %" for part in range(0, 21, 5)]
        print("".join(bars) + f" {GREEN}healthy{OFF}")
    return 0


def flood(random: Random, count: str, rate: str) -> int:
    """So many lines, at so many a second, each with its number and the time at which it was written."""
    number, total, began = 0, int(count), time.perf_counter()
    levels = (
        [f"{GREEN}info {OFF}"] * 12 + [f"{GREY}debug{OFF}"] * 6 + [f"{YELLOW}warn {OFF}"] * 2 + [f"{RED}error{OFF}"]
    )
    while number < total:
        due = min(total, int((time.perf_counter() - began) * int(rate)) + 1)
        lines = []
        while number < due:
            number += 1
            level, status = random.choice(levels), random.choice((200, 200, 200, 304, 404))
            lines.append(
                f"line {number:06} at {time.time():.3f} {level} worker-{random.randrange(8)} "
                f"GET /items/{random.randrange(10_000)} {status} {random.random() * 40:.1f} ms\n"
            )
        sys.stdout.write("".join(lines))
        sys.stdout.flush()
        time.sleep(0.004)
    print(f"{BOLD}{total} lines in {time.perf_counter() - began:.1f} s{OFF}")
    return 0


def stubborn(_random: Random) -> int:
    """Will not end when it is asked to, and has a child that will not either."""
    signal.signal(signal.SIGTERM, lambda *_: print(f"{YELLOW}SIGTERM? No.{OFF}"))
    child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(600)"])
    print(f"process {BOLD}{child.pid}{OFF} is my child")
    for second in range(600):
        print(f"still here after {second} s")
        time.sleep(1)
    return 0


def tidy(_random: Random) -> int:
    """Cleans up when it is asked to end, and says so by its exit code."""

    def ended(*_: object) -> None:
        for each in ("lock", "cache", "socket"):
            print(f"{GREY}removing the {each}{OFF}")
            time.sleep(0.05)
        sys.exit(143)

    signal.signal(signal.SIGTERM, ended)
    for second in range(600):
        print(f"serving since {second} s")
        time.sleep(1)
    return 0


WORK: dict[str, Callable[..., int]] = {
    each.__name__: each for each in (check, test, package, release, flood, stubborn, tidy)
}  # fmt: skip

if __name__ == "__main__":
    seed, name, *arguments = sys.argv[1:]
    sys.exit(WORK[name](Random(seed), *arguments))  # noqa: S311 - play
