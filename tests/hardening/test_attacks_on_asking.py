"""One test for each attack on asking the application who may do what, named after it."""

import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attacking import (  # noqa: F401 - fixtures
    ASK_SECRET,
    AUTH,
    OTHER_SECRET,
    answering,
    dialing,
    end_code,
    guarded_server,
    ok,
    settings,
    subscribe_code,
    token,
)
from msgspec import structs
from node_under_test import Server, running

from wirehop.auth import asking as asking_module
from wirehop.auth.asking import SIGNATURE, signature_of
from wirehop.node import Node
from wirehop.settings import Auth
from wirehop.testing.wires import Conversation, open_wire

pytestmark = pytest.mark.asyncio


def ask_auth(url: str, **changes: Any) -> Auth:
    base = structs.replace(AUTH, ask_url=url, ask_secret=ASK_SECRET, ask_timeout=0.5)
    return structs.replace(base, **changes)


@asynccontextmanager
async def asking(
    answer: Callable[[bytes, bytes], bytes | None], **changes: Any
) -> AsyncIterator[tuple[Server, list[bytes], Conversation]]:
    """A server that asks, and a connected session."""
    async with answering(answer) as (url, asked), running(Node(settings(ask_auth(url, **changes)))) as server:
        wire = open_wire("websocket", server.port)
        assert await end_code(wire, token()) == 0
        yield server, asked, wire
        await wire.close()


YES = b'{"result":{}}'


def signed_yes(head: bytes, _body: bytes, *, body: bytes = YES, secret: str = ASK_SECRET) -> bytes:
    question = next(line for line in head.decode().split("\r\n") if line.lower().startswith(SIGNATURE.lower()))
    signature = signature_of(secret.encode(), question.partition(":")[2].strip(), body)
    return ok(body, "200 OK", f"{SIGNATURE}: {signature}")


@pytest.mark.parametrize(
    "answer",
    [
        ok(b""), ok(b"{}"), ok(b"yes"), ok(b"true"), ok(b"[]"), ok(b"null"), ok(b'{"result":null}'),
        ok(b'{"result":true}'), ok(b'{"result":{},"error":{"code":103}}'), ok(b'{"allow":true}'),
        ok(YES, "500 Internal Server Error"), ok(YES, "204 No Content"), ok(YES, "404 Not Found"),
        ok(YES, "201 Created"),
        ok(YES, "302 Found", "Location: https://evil.example/"), ok(b"\xff" + YES), ok(b'{"result":{},'),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + YES[:5], b"nonsense\r\n\r\n",
        ok(b'{"result":{"allow":["all"]}}'), ok(b'{"result":{"since":"x"}}'), ok(b" " * 300_000 + YES),
        ok(b"[" * 50_000),
    ],
    ids=lambda answer: repr(answer[:60]),
)  # fmt: skip
async def test_no_clear_yes_is_a_no(answer: bytes) -> None:
    async with asking(lambda _head, _body: answer) as (server, asked, wire):
        assert await subscribe_code(wire, "ask:a") == 100
        reply = await wire.request("publish", channel="ask:a", data=1)
        assert reply["error"]["code"] == 100
        assert reply["error"]["temporary"] is True
        assert asked
        assert (await server.node.history("ask:a")).publications == ()


async def test_slow_ask_endpoint() -> None:
    """No answer in time is a no, holds up nobody else, and no more questions than set are open at a time."""
    async with asking(lambda _head, _body: None, ask_concurrency=2, ask_waiting=2, ask_timeout=0.3) as (
        server,
        asked,
        wire,
    ):
        began = time.monotonic()
        pending = [await wire.send("subscribe", channel=f"ask:{number}") for number in range(10)]
        assert "ping" in await wire.request("ping")
        replies = [await wire.reply(number) for number in pending]
        assert {reply["error"]["code"] for reply in replies} == {100}
        assert len(asked) <= 4
        assert time.monotonic() - began < 3
        assert server.node.auth.asking is not None
        assert server.node.auth.asking.failed == 10


async def test_forged_answer_of_the_application() -> None:
    """With signed answers, who sits between cannot say yes: unsigned, by another secret, or replayed from another
    question."""
    replayed: list[bytes] = []

    def answer(head: bytes, body: bytes) -> bytes:
        asked_about = json.loads(body)["channel"]
        if asked_about == "ask:unsigned":
            return ok(YES)
        if asked_about == "ask:other-secret":
            return signed_yes(head, body, secret=OTHER_SECRET)
        if asked_about == "ask:replayed":
            return replayed[0]
        replayed.append(signed_yes(head, body))
        return replayed[-1]

    async with asking(answer, ask_signed=True) as (_server, _asked, wire):
        assert await subscribe_code(wire, "ask:good") == 0
        for channel in ("ask:unsigned", "ask:other-secret", "ask:replayed"):
            assert await subscribe_code(wire, channel) == 100


async def test_questions_are_signed_with_their_time() -> None:
    heads: list[bytes] = []

    def answer(head: bytes, _body: bytes) -> bytes:
        heads.append(head)
        return ok(YES)

    async with asking(answer) as (_server, asked, wire):
        assert await subscribe_code(wire, "ask:a") == 0
        fields = dict(line.split(": ", 1) for line in heads[0].decode().split("\r\n")[1:] if line)
        timestamp, signature = fields["Wirehop-Timestamp"], fields["Wirehop-Signature"]
        assert abs(int(timestamp) - time.time()) < 10
        expected = hmac.new(ASK_SECRET.encode(), timestamp.encode() + b"." + asked[0], "sha256").hexdigest()
        assert signature == f"v1={expected}"
        question = json.loads(asked[0])
        assert (question["action"], question["user"], question["channel"]) == ("subscribe", "ada", "ask:a")


async def test_a_kept_answer_is_nobody_elses() -> None:
    """Kept for the same user, channel, token and data, for as long as the application says, and not over a
    revocation."""

    def answer(_head: bytes, body: bytes) -> bytes:
        is_ada = json.loads(body)["user"] == "ada"
        return ok(b'{"result":{},"cache":60}' if is_ada else b'{"error":{"code":103,"message":"no"}}')

    async with asking(answer) as (server, asked, wire):
        assert await subscribe_code(wire, "ask:a") == 0
        await wire.request("unsubscribe", channel="ask:a")
        assert await subscribe_code(wire, "ask:a") == 0
        assert len(asked) == 1
        assert await subscribe_code(wire, "ask:b") == 0
        assert len(asked) == 2
        eve = open_wire("websocket", server.port)
        assert await end_code(eve, token("eve")) == 0
        assert await subscribe_code(eve, "ask:a") == 103
        assert await subscribe_code(eve, "ask:aask:a") == 103
        await eve.close()
        server.node.revoke(token_id="somebody")
        await wire.request("unsubscribe", channel="ask:a")
        count = len(asked)
        assert await subscribe_code(wire, "ask:a") == 0
        assert len(asked) == count + 1


async def test_a_question_is_not_broken_out_of() -> None:
    """What a client sends stands in the question as data, whatever it holds."""
    evil = '","user":"admin","x":"\n\r'
    async with asking(lambda _head, _body: ok(YES)) as (_server, asked, wire):
        assert await subscribe_code(wire, "ask:a", data={evil: evil}) == 0
        await wire.request("publish", channel="ask:a", data=evil)
        for body in asked:
            question = json.loads(body)
            assert question["user"] == "ada"
        assert json.loads(asked[-1])["data"] == evil


async def test_line_breaks_in_an_answer_forge_no_reply() -> None:
    body = json.dumps({"result": {"data": {"a": [1, 2]}, "info": {"b": "\n"}}}, indent=2).encode()
    async with asking(lambda _head, _body: ok(body)) as (_server, _asked, wire):
        reply = await wire.request("subscribe", channel="ask:a")
        assert reply["subscribe"]["data"] == {"a": [1, 2]}
        assert all(b"\n" not in line.strip() for line in wire.lines)


async def test_the_cache_of_answers_is_bounded() -> None:
    answer = b'{"result":{},"cache":60}'
    async with asking(lambda _head, _body: ok(answer), ask_cache=3) as (server, _asked, wire):
        for number in range(10):
            assert await subscribe_code(wire, f"ask:{number}") == 0
        asker = server.node.auth.asking
        assert isinstance(asker, asking_module.Asking)
        assert len(asker._kept) == 3


async def test_connecting_without_a_token_where_the_application_is_down() -> None:
    async with (
        answering(lambda _head, _body: ok(b"", "503 Service Unavailable")) as (url, asked),
        running(Node(settings(ask_auth(url, ask_about=("connect",), anonymous=True)))) as server,
    ):
        wire = open_wire("websocket", server.port)
        assert await end_code(wire, "") == 100
        assert len(asked) == 1
        await wire.close()
