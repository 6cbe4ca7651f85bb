"""What the tests of attacks share: a server with tokens and cookies, tokens good and forged, a web server that says
what it is told to. Each attack is a test named after it, in the files beside this one.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import structs
from node_under_test import OPEN, Server, running
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from wirehop.auth.tokens import sign
from wirehop.node import Node
from wirehop.settings import Auth, Namespace, Origins, Settings, Transports
from wirehop.testing.wires import Conversation, open_wire

SECRET = "a-secret-of-the-application-0123456789"
OTHER_SECRET = "another-secret-0123456789-0123456789"
ASK_SECRET = "what-questions-are-signed-with-0123456789"
OWN = "https://app.example"
EVIL = "https://evil.example"
CLOSED = Namespace()
NAMESPACES = {
    "": structs.replace(OPEN, subscribe="signed-in", publish="signed-in"),
    "token": structs.replace(OPEN, subscribe="token", publish="token"),
    "ask": structs.replace(OPEN, subscribe="ask", publish="ask"),
    "half": structs.replace(OPEN, subscribe="signed-in", publish="token"),
    "public": OPEN,
    "closed": CLOSED,
}
AUTH = Auth(secrets=(SECRET,), cookie="wirehop", leeway=0)


def settings(auth: Auth = AUTH, **sections: Any) -> Settings:
    base = Settings(auth=auth, namespaces={**NAMESPACES}, origins=Origins(allowed=(OWN,)))
    base = structs.replace(base, transports=Transports(jsonp=True))
    if not auth.ask_url:
        del base.namespaces["ask"]  # type: ignore[attr-defined]
    return structs.replace(base, **sections)


@pytest_asyncio.fixture(name="server")
async def guarded_server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """A node with tokens and cookies. A parameter changes its `auth` section."""
    changes: dict[str, Any] = getattr(request, "param", {})
    async with running(Node(settings(structs.replace(AUTH, **changes)))) as server:
        yield server


@pytest_asyncio.fixture(name="dial")
async def dialing(server: Server) -> AsyncIterator[Callable[..., Conversation]]:
    """`dial("sse")`: a conversation, not connected yet. All are closed at the end."""
    opened: list[Conversation] = []

    def dial(name: str = "websocket", **options: Any) -> Conversation:
        opened.append(open_wire(name, server.port, **options))
        return opened[-1]

    yield dial
    for wire in opened:
        await wire.close()


def token(user: str = "ada", *, secret: str = SECRET, ttl: float = 600, **claims: Any) -> str:
    now = time.time()
    given = {"sub": user, "iat": int(now), "exp": int(now + ttl), **claims}
    return sign({name: value for name, value in given.items() if value is not None}, secret)


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token with any header and signature."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def claims_of(user: str = "ada") -> dict[str, Any]:
    return {"sub": user, "exp": int(time.time() + 600), "iat": int(time.time())}


def bearer(text: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {text}")


async def end_code(wire: Conversation, text: str) -> int:
    """How a connect with this token ends: the code of the error or of the disconnect; 0 where it is let in."""
    reply = await wire.connect(token=text)
    if "connect" in reply:
        return 0
    return int(reply["error"]["code"] if "error" in reply else reply["push"]["disconnect"]["code"])


async def connected(
    dial: Callable[..., Conversation], text: str, name: str = "websocket", **options: Any
) -> Conversation:
    wire = dial(name, **options)
    assert await end_code(wire, text) == 0
    return wire


async def code_of_websocket(server: Server, query: str) -> int:
    """How a connect without a token ends on a WebSocket with this query: 0 where it is let in."""
    async with connect(f"ws://127.0.0.1:{server.port}/connection/websocket?{query}", proxy=None) as socket:
        await socket.send(json.dumps({"id": 1, "connect": {}}))
        try:
            reply = json.loads(await asyncio.wait_for(socket.recv(), 5))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006
        return int(reply.get("error", {}).get("code", 0))


async def ticket(server: Server, use: str, *channels: str, user: str = "ada", **claims: Any) -> str:
    body = json.dumps({"for": use, "channels": channels}).encode()
    answer = await server.request("POST", "/connection/ticket", headers=[bearer(token(user, **claims))], body=body)
    assert answer.status == 200, answer.body
    return str(answer.json()["ticket"])


async def subscribe_code(wire: Conversation, channel: str, text: str = "", **fields: Any) -> int:
    reply = await wire.request("subscribe", channel=channel, token=text, **fields)
    return int(reply.get("error", {}).get("code", 0))


def cookie(text: str = "") -> tuple[str, str]:
    return ("Cookie", f"wirehop={text or token()}")


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem_of(key: Any) -> bytes:
    return bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@asynccontextmanager
async def answering(answer: Callable[[bytes, bytes], bytes | None]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A web server that answers what `answer(head, body)` says; None: it never does. Its URL, and what it was asked."""
    asked: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
                asked.append(body or head)
                given = answer(head, body)
                if given is None:
                    await reader.read()
                    return
                writer.write(given)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/", asked
    finally:
        listener.close()
        for writer in writers:
            writer.transport.abort()
        await listener.wait_closed()


def ok(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
