"""Other people's servers with an application of `examples/`, each as its own program, and a proxy that cuts."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
START_SECONDS = 30.0

COMMANDS = {
    "uvicorn": "uvicorn {app}:app --host 127.0.0.1 --port {port} --log-level warning",
    "hypercorn": "hypercorn {app}:app --bind 127.0.0.1:{port} --workers 0",
    "granian": "granian {app}:app --interface asgi --host 127.0.0.1 --port {port} --log-level warning",
    "daphne": "daphne {app}:app -b 127.0.0.1 -p {port} -v 0",
}
"""As the pages of docs/asgi.md say it."""


class Program:
    """A server that runs: its name, its port and its process."""

    def __init__(self, server: str, process: "subprocess.Popen[bytes]", port: int, output: Path) -> None:
        self.server = server
        self.process = process
        self.port = port
        self._output = output

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def wait_until_open(self) -> None:
        """Until the port takes connections."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self.process.poll() is None, self.output
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert time.monotonic() < deadline, f"not open after {START_SECONDS} s:\n{self.output}"
            time.sleep(0.05)

    def stop(self) -> None:
        """Whatever is left of it: it has a process group of its own."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def program(command: str, app: str, output: Path, *, cwd: Path = EXAMPLES) -> Iterator[Program]:
    """Run `python -m` + command (with {app} and {port}) in the examples' folder."""
    port = free_port()
    words = command.format(app=app, port=port).split()
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    running = Program(words[0], process, port, output)
    try:
        running.wait_until_open()
        yield running
    finally:
        running.stop()


class Cutter:
    """A TCP proxy to a port of this machine; `cut` drops what is open without a word."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> "Cutter":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def cut(self) -> int:
        """How many connections were cut."""
        for writer in self._writers:
            writer.transport.abort()
        return len(self._writers) // 2

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, back), (there, writer)):
            self._writers.add(sink)
            task = asyncio.get_running_loop().create_task(self._copy(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        self._writers.discard(sink)
        sink.transport.abort() if sink.transport.is_closing() else sink.close()
