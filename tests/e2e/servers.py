"""What the browsers talk to: `wirehop serve` as a subprocess, and a foreign site; and plain HTTP for the tests."""

import contextlib
import http.client
import json
import os
import queue
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 3.0
_HELLO = re.compile(r"serving on (https?://\S+:(\d+))")
_PROGRAM = Path(sys.executable).with_name("wirehop")


def until(read: Callable[[], T], *, seconds: float, what: str, every: float = 0.02) -> T:
    """Poll `read` until it gives something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (value := read()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s; last: {value!r}")
        time.sleep(every)
    return value


def free_port() -> int:
    """A port below the range from which the kernel takes source ports, so that it is still free after a restart."""
    for _ in range(100):
        port = random.randint(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as each:
            each.bind((LOOPBACK, port))
            return port
    raise OSError("no free port")


class Server:
    """`wirehop serve` with these arguments, on a port that it keeps over restarts."""

    def __init__(self, *arguments: str, log: Path, port: int = 0) -> None:
        self._arguments = arguments
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self.port = port or free_port()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and wait until it serves."""
        # WIREHOP_… is settings; those that steer these tests are not among them
        environ = {name: value for name, value in os.environ.items() if not name.startswith("WIREHOP_")}
        command = [str(_PROGRAM), "serve", "--port", str(self.port), "--server-drain", "200ms", *self._arguments]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ)
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_read_lines, args=(self._process.stdout, lines), daemon=True).start()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = ""
            if _HELLO.search(line):
                return
            if not line:
                self.kill()
                raise AssertionError(f"`{' '.join(command)}` does not serve:\n{self.log()[-3000:]}")

    def stop(self) -> None:
        """Terminate it, and kill it if it does not end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End it without a word."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_SECONDS)

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    def errors(self) -> list[str]:
        """Lines of its log that should not be there."""
        return [line for line in self.log().splitlines() if '"level":"error"' in line or "Traceback" in line]

    # ---- channels, without an SDK

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """One request: status and decoded JSON."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def publish(self, channel: str, value: object) -> dict[str, Any]:
        """Publish, and return the position."""
        headers = {"Content-Type": "application/json"}
        status, answer = self.request("POST", f"/channels/{quote(channel)}", json.dumps(value).encode(), **headers)
        assert status == 201, (status, answer)
        return answer

    def history(self, channel: str) -> list[Any]:
        """The payloads that are kept, oldest first."""
        status, answer = self.request("GET", f"/channels/{quote(channel)}?limit=500")
        assert status == 200, (status, answer)
        return [publication["data"] for publication in answer["publications"]]


def _read_lines(stream: Any, lines: "queue.Queue[str]") -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put("")


class Publisher:
    """Publishes 1, 2, 3 … (as `render` makes them) to a channel from a thread of its own until it leaves its block."""

    def __init__(
        self, server: Server, channel: str, *, every: float = 0.05, render: Callable[[int], object] = int
    ) -> None:
        self._server, self._channel, self._every, self._render = server, channel, every, render
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._problem: Exception | None = None
        self.count = 0

    def __enter__(self) -> "Publisher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        if self._problem is not None:
            raise AssertionError("publishing failed") from self._problem

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._server.publish(self._channel, self._render(self.count + 1))
                self.count += 1
                self._stop.wait(self._every)
        except Exception as error:
            self._problem = error


class _Blank(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"<!doctype html><meta charset=utf-8><link rel=icon href='data:,'><title>another site</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class ForeignSite:
    """A site of another origin: every address is a blank page."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _Blank)
        self._server.daemon_threads = True
        self.origin = f"http://{LOOPBACK}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> "ForeignSite":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
