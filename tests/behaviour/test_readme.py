"""What the README shows is what runs: its Python block is `examples/chat.py`, and that file is a chat server."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from websockets.asyncio.client import connect

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_block_is_the_example() -> None:
    assert blocks("python") == [(ROOT / "examples" / "chat.py").read_text(encoding="utf-8")]


def test_the_chat_server_is_as_short_as_promised() -> None:
    lines = [line for line in blocks("python")[0].splitlines() if line.strip()]
    assert len(lines) <= 15


@pytest.fixture
def chat() -> Iterator[str]:
    """The example on a free port, as its own program."""
    source = (ROOT / "examples" / "chat.py").read_text(encoding="utf-8").replace("port=8000", "port=0")
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
        assert process.wait(10) == 0


async def _join(url: str, name: str) -> tuple[object, list[dict[str, object]]]:
    socket = await connect(url.replace("http", "ws") + "/connection/websocket")
    await socket.send(
        json.dumps({"id": 1, "connect": {"data": name}})
        + "\n"
        + json.dumps({"id": 2, "subscribe": {"channel": "chat:lobby"}})
    )
    seen: list[dict[str, object]] = []
    while not any(reply.get("id") == 2 for reply in seen):
        seen += [json.loads(line) for line in str(await asyncio.wait_for(socket.recv(), 5)).splitlines()]
    return socket, seen


def test_two_people_talk_over_the_example(chat: str) -> None:
    async def talk() -> None:
        ann, _ = await _join(chat, "ann")
        bob, _ = await _join(chat, "bob")
        await ann.send(json.dumps({"id": 3, "publish": {"channel": "chat:lobby", "data": {"text": "hello"}}}))
        lines = str(await asyncio.wait_for(bob.recv(), 5)).splitlines()
        push = json.loads(lines[0])["push"]
        assert push["channel"] == "chat:lobby"
        assert push["pub"]["data"] == {"from": "ann", "text": "hello"}
        await ann.close()
        await bob.close()

    asyncio.run(talk())


def test_the_shell_lines_publish_and_read(chat: str) -> None:
    """The README's curl lines by hand: in this server the namespaces refuse, and say so."""
    request = Request(
        f"{chat}/channels/news", data=b'{"hello": "world"}', headers={"Content-Type": "application/json"}, method="POST"
    )
    with pytest.raises(OSError, match="403"):
        urlopen(request, timeout=5)
    with urlopen(f"{chat}/channels/chat:lobby", timeout=5) as answer:
        assert json.load(answer)["publications"] == []
