"""Open streams hold no server: at SIGTERM, and when it reloads, they end first, and say so."""

import asyncio
import contextlib
import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from asgi_servers import COMMANDS, EXAMPLES, Program, program
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from wirehop.testing import http

pytestmark = pytest.mark.asyncio
EXIT_SECONDS = 3.0
IN_WORKERS = "hypercorn {app}:app --bind 127.0.0.1:{port}"
"""Its workers are told by an event of its own and hear no signal: it waits --graceful-timeout (3 s), then cancels."""


class Open:
    """One of each: an event stream, a WebSocket of a channel, a session by WebSocket, a long poll, a session's poll."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def __aenter__(self) -> "Open":
        accept = [("Accept", "text/event-stream")]
        self.stream = http.Blocks(
            await http.open_response(self.port, "GET", "/rt/channels/news", headers=accept, timeout=10)
        )
        assert await self.stream.next() == [("retry", "3000")]
        await self.stream.next()
        self.socket = await self._connect("/rt/channels/news")
        self.session = await self._connect("/rt/connection/websocket")
        await self.session.send('{"id":1,"connect":{}}')
        assert "connect" in json.loads(await asyncio.wait_for(self.session.recv(), 5))
        cursor = (await http.request(self.port, "GET", "/rt/channels/news?wait=20s")).json()["cursor"]
        target = f"/rt/channels/news?wait=20s&cursor={cursor}"
        self.poll = asyncio.ensure_future(http.request(self.port, "GET", target, timeout=15))
        await asyncio.sleep(0.1)  # so that it is held
        assert not self.poll.done()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stream.response.close()
        await self.socket.close()
        await self.session.close()
        self.poll.cancel()
        await asyncio.wait([self.poll])

    async def blocks(self) -> list[Any]:
        """What the event stream still said, up to its proper end."""
        blocks = []
        with pytest.raises(EOFError):
            while True:
                blocks.append(await self.stream.next(10))
        return blocks

    @staticmethod
    async def closing(socket: ClientConnection) -> int | None:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
        return socket.close_code

    async def _connect(self, path: str) -> ClientConnection:
        return await connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None, close_timeout=1)


async def exited(running: Program, limit: float) -> None:
    """SIGTERM to the one process that an init system knows; it must go by itself."""
    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    while running.process.poll() is None:
        assert time.monotonic() - began < limit, f"still there after {limit} s:\n{running.output}"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("server", COMMANDS)
async def test_at_sigterm_all_wires_are_told_and_the_server_exits(server: str, tmp_path: Path) -> None:
    with program(COMMANDS[server], "fastapi_app", tmp_path / "output") as running:
        async with Open(running.port) as wires:
            await exited(running, EXIT_SECONDS)
            ((name, value),) = (await wires.blocks())[-1]
            assert (name, 1000 <= int(value) <= 10_000) == ("retry", True)
            assert await wires.closing(wires.socket) == 3001
            assert await wires.closing(wires.session) == 3001
            answer = await wires.poll
            assert (answer.status, answer.json()["publications"]) == (200, [])
            assert "Traceback" not in running.output, running.output


async def test_a_server_that_tells_its_workers_otherwise_still_ends_all_streams_in_bounded_time(tmp_path: Path) -> None:
    with program(IN_WORKERS, "fastapi_app", tmp_path / "output") as running:
        async with Open(running.port) as wires:
            await exited(running, 3.0 + EXIT_SECONDS)
            assert await wires.blocks() == []  # a proper end, without a word
            assert await wires.closing(wires.socket) == 1012
            assert await wires.closing(wires.session) == 1012


async def test_uvicorn_reloads_with_open_streams(tmp_path: Path) -> None:
    source = tmp_path / "fastapi_app.py"
    shutil.copy(EXAMPLES / "fastapi_app.py", source)
    command = COMMANDS["uvicorn"] + " --reload"
    with program(command, "fastapi_app", tmp_path / "output.txt", cwd=tmp_path) as running:
        async with Open(running.port) as wires:
            source.write_text(source.read_text().replace("<title>news", "<title>newer"))
            assert (await wires.blocks())[-1][0][0] == "retry"
            assert await wires.closing(wires.session) == 3001
            deadline = time.monotonic() + 10
            body = b""
            while b"<title>newer" not in body:
                assert time.monotonic() < deadline, running.output
                await asyncio.sleep(0.05)
                with contextlib.suppress(OSError):  # the old process took the connection and left
                    body = (await http.request(running.port, "GET", "/", timeout=10)).body
            assert (await http.request(running.port, "GET", "/rt/ready")).json() == {"status": "ready"}


async def test_with_its_signals_switched_off_it_waits_as_uvicorn_says(tmp_path: Path) -> None:
    """What this is for: the same server without the chained handler is held by one event stream."""
    app = tmp_path / "alone.py"
    app.write_text((EXAMPLES / "fastapi_app.py").read_text().replace("AsgiApp(node)", "AsgiApp(node, signals=False)"))
    with program(COMMANDS["uvicorn"], "alone", tmp_path / "output", cwd=tmp_path) as running:
        async with Open(running.port) as wires:
            running.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(1.0)
            assert running.process.poll() is None
            await wires.stream.response.close()
