"""Network namespaces of one test run: made under names that no other run uses, entered, and removed again.

It knows iproute2 and setns(2), and kills only what runs in namespaces that it has made itself.
"""

import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
COMMAND_SECONDS = 30.0
ADDRESS = "192.0.2.10"
"""Of a hermetic namespace, beside loopback."""
GATEWAY_MAC = "02:00:00:00:00:fe"

_numbers = itertools.count(1)


def why_not() -> str | None:
    """The reason for which no network namespace can be made here; None where one can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [program for program in ("ip", "iptables-restore", "conntrack") if shutil.which(program) is None]
    if missing:
        return f"no {', '.join(missing)} on PATH"
    if not Path("/dev/net/tun").exists():
        return "no /dev/net/tun"
    try:
        with Namespace("try"):
            return None
    except CommandFailed as error:
        return f"no network namespaces here: {error}"


class CommandFailed(Exception):
    """A program that arranges the network has failed; the text has what it said."""


def run(*command: str, text: str | None = None) -> str:
    """Run a program to its end; what it has printed."""
    done = subprocess.run(
        command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=COMMAND_SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise CommandFailed(f"`{' '.join(command)}`: {done.stdout.strip()}")
    return done.stdout


def enter(path: str) -> None:
    """Put this thread into the namespace that the file stands for (os.setns came with Python 3.12)."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(file, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(file)


class Namespace:
    """A network namespace with its loopback up. Use it as a context manager."""

    def __init__(self, role: str) -> None:
        self.name = f"wirehop-{os.getpid()}-{next(_numbers)}-{role}"

    @property
    def path(self) -> str:
        """The file that stands for it."""
        return f"/run/netns/{self.name}"

    def __enter__(self) -> "Namespace":
        run("ip", "netns", "add", self.name)
        self.ip("link set lo up")
        return self

    def __exit__(self, *_: object) -> None:
        for line in run("ip", "netns", "pids", self.name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line), signal.SIGKILL)
        run("ip", "netns", "del", self.name)

    def ip(self, *commands: str) -> None:
        """Run `ip` commands in it: `ip("link set lo up", …)`."""
        for command in commands:
            run("ip", "-n", self.name, *command.split())

    def command(self, *command: str) -> list[str]:
        """The command line that runs a program in it."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a program in it to its end; what it has printed."""
        return run(*self.command(*command), text=text)

    def popen(self, command: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
        """Start a program in it."""
        return subprocess.Popen(self.command(*command), text=True, **options)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and what it opens and starts, is in it until the end of the block.

        A socket stays in the namespace in which it was opened, and a process in that in which it was started.
        """
        before = f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"
        back = os.open(before, os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(self.path)
            try:
                yield
            finally:
                enter(f"/proc/self/fd/{back}")
        finally:
            os.close(back)


def route_to_nowhere(namespace: Namespace, gateway: str, device: str) -> None:
    """A default route whose packets are lost.

    Chromium gathers candidates only where there is a default route, and a relay that has no route to a private
    address answers with an error where it should just lose packets.
    """
    namespace.ip(
        f"route add default via {gateway} dev {device}",
        f"neigh add {gateway} lladdr {GATEWAY_MAC} dev {device}",
    )


@contextlib.contextmanager
def hermetic() -> Iterator[Namespace]:
    """A namespace with loopback and one more interface, for browsers and server together.

    Browsers don't gather candidates on loopback, hence the veth; nothing leads out of it.
    """
    with Namespace("alone") as namespace:
        namespace.ip(
            "link add outside0 type veth peer name outside1",
            f"addr add {ADDRESS}/24 dev outside0",
            "link set outside0 up",
            "link set outside1 up",
        )
        route_to_nowhere(namespace, "192.0.2.1", "outside0")
        yield namespace
