"""A server and a page for an answer, to copy. Tests run every one of them.

It knows the names of wirehop's public API and of the SDK, and nothing of how an answer came about.
"""

from typing import Final

from wirehop.advisor.answer import Advice
from wirehop.advisor.recipe import ONE_WAY, namespace_of, needs_room
from wirehop.advisor.techniques import ADVISED, CHANNELS

MODULES_SINCE: Final = 2020
"""The SDK is a module; `wirehop.old.js` is for what is older."""

_HEAD: Final = '"""Start it with `wirehop serve app:node`; wirehop.toml lies beside it."""\n\n'

_ONE_WAY_SERVER: Final = (
    _HEAD
    + '''\
from wirehop import Node

node = Node()


async def tell(data: object) -> None:
    """Call it wherever something happens."""
    await node.publish("feed:1", data)
'''
)

_TOKENS_SERVER: Final = (
    _HEAD
    + '''\
import asyncio
from collections.abc import AsyncIterator
from secrets import token_hex

from wirehop import Client, Node

node = Node()
answering: set[asyncio.Task[None]] = set()


async def tokens(question: str) -> AsyncIterator[str]:
    """Your generator."""
    for word in f"You asked: {question}".split():
        yield word + " "


async def answer(channel: str, question: str) -> None:
    """Goes on when the reader leaves: the history has it all."""
    async for token in tokens(question):
        await node.publish(channel, token)


@node.rpc("ask")
async def ask(client: Client, question: str) -> list[str]:
    channel = f"feed:{token_hex(16)}"  # who knows the name may read on, also after a reload
    first = await node.publish(channel, "")
    task = asyncio.create_task(answer(channel, question))
    answering.add(task)
    task.add_done_callback(answering.discard)
    return [channel, first.epoch]
'''
)

_TWO_WAY_SERVER: Final = (
    _HEAD
    + """\
from typing import Any

from wirehop import Client, Node

node = Node()


@node.on_publish
async def publish(client: Client, channel: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"from": client.user, **data}  # raise wirehop.Refused to refuse
"""
)

_ROOM_SERVER: Final = (
    _HEAD
    + """\
from wirehop import Node

node = Node()  # rooms need no code: the namespace says `rtc`
"""
)


def server_of(advice: Advice) -> str:
    """`app.py`."""
    if needs_room(advice) and advice.main in CHANNELS | {"media"}:
        return _ROOM_SERVER
    if advice.facts.kind == "tokens":
        return _TOKENS_SERVER
    return _ONE_WAY_SERVER if namespace_of(advice.facts) == ONE_WAY else _TWO_WAY_SERVER


def wires_of(advice: Advice) -> tuple[str, ...]:
    """The SDK's wires, in the order in which they are tried; without WebRTC, those of the session beside it."""
    steps = [advice.main, *advice.fallbacks]
    wires = [ADVISED[step].wire for step in steps if step in ADVISED and ADVISED[step].wire]
    return tuple(dict.fromkeys(wires)) or ("websocket", "sse", "long-poll")


def page_of(advice: Advice) -> str:
    """The part of a page that reads and writes."""
    if advice.facts.browsers < MODULES_SINCE:
        return _old_page(advice)
    if needs_room(advice) and advice.main == "media":
        return _media_page(advice)
    if needs_room(advice) and advice.main in CHANNELS:
        return _data_channel_page(advice)
    if advice.facts.kind == "tokens":
        return _tokens_page(advice)
    return _channel_page(advice)


def _connect(advice: Advice) -> str:
    options = ["wires: [" + ", ".join(f'"{wire}"' for wire in wires_of(advice)) + "]"]
    if advice.facts.login == "header":
        options.append('token: async () => (await fetch("/token")).text()')
    if advice.facts.tabs > 1 and advice.main not in CHANNELS | {"media"}:
        options.append("shared: true")
    if advice.facts.resume:
        options.append("remember: true")
    return f'connect("/", {{ {", ".join(options)} }})'


def _script(*lines: str) -> str:
    return "\n".join(['<script type="module">', *(f"  {line}" if line else "" for line in lines), "</script>", ""])


def _channel_page(advice: Advice) -> str:
    lines = [
        'import { connect } from "/sdk/wirehop.js";',
        "",
        f"const client = {_connect(advice)};",
        f'const channel = client.channel("{namespace_of(advice.facts)}:1");',
        'channel.on("publication", ({ data }) => list.append(JSON.stringify(data), document.createElement("br")));',
    ]
    if namespace_of(advice.facts) == ONE_WAY:
        return '<p id="list"></p>\n' + _script(*lines)
    lines += [
        "form.onsubmit = (event) => {",
        "  event.preventDefault();",
        "  channel.publish({ text: text.value });",
        "};",
    ]
    return '<p id="list"></p>\n<form id="form"><input id="text"><button>Send</button></form>\n' + _script(*lines)


def _tokens_page(advice: Advice) -> str:
    return '<form id="form"><input id="question"><button>Ask</button></form>\n<p id="answer"></p>\n' + _script(
        'import { connect } from "/sdk/wirehop.js";',
        "",
        f"const client = {_connect(advice)};",
        "const read = (name, epoch) => {",
        '  answer.textContent = "";',
        "  const channel = client.channel(name, { position: { epoch, offset: 0 } }); // from the first token on",
        '  channel.on("publication", ({ data }) => answer.append(data));',
        "};",
        "form.onsubmit = async (event) => {",
        "  event.preventDefault();",
        '  location.hash = (await client.rpc("ask", question.value)).join();',
        "};",
        'onhashchange = () => read(...location.hash.slice(1).split(","));',
        "if (location.hash) onhashchange();",
    )


def _room_lines(advice: Advice, options: str) -> list[str]:
    return [
        'import { connect } from "/sdk/wirehop.js";',
        'import { joinRoom } from "/sdk/wirehop.rtc.js";',
        "",
        f"const client = {_connect(advice)};",
        f'const room = await joinRoom(client, "room:1", {options});',
    ]


def _media_page(advice: Advice) -> str:
    options = {"audio": "{ audio: true }", "video": "{ audio: true, video: true }", "screen": "{ audio: true }"}
    lines = _room_lines(advice, options[advice.facts.media])
    lines += [
        "const show = ({ participant, source, stream }) => {",
        '  const video = document.createElement("video");',
        "  Object.assign(video, { autoplay: true, playsInline: true, srcObject: stream, title: participant.name });",
        "  people.append(video);",
        "};",
        'room.on("track", show);',
        "for (const participant of room.participants.values())",
        "  for (const track of participant.tracks.values()) show({ participant, ...track });",
    ]
    button = ""
    if advice.facts.media == "screen":
        button = '<button id="share">Share the screen</button>\n'
        lines.append("share.onclick = () => room.local.shareScreen();")
    return f'<div id="people"></div>\n{button}' + _script(*lines)


def _data_channel_page(advice: Advice) -> str:
    reliable = "false" if advice.main == "data-channel-unreliable" else "true"
    lines = _room_lines(advice, "{}")
    lines += [
        "const meet = (participant) => {",
        f'  const channel = participant.channel("data", {{ reliable: {reliable} }});',
        '  channel.on("message", (data) => list.append(String(data), document.createElement("br")));',
        "};",
        'room.on("joined", meet);',
        "for (const participant of room.participants.values()) meet(participant);",
        "form.onsubmit = (event) => {",
        "  event.preventDefault();",
        '  for (const participant of room.participants.values()) participant.channel("data").send(text.value);',
        "};",
    ]
    return '<p id="list"></p>\n<form id="form"><input id="text"><button>Send</button></form>\n' + _script(*lines)


def _old_page(advice: Advice) -> str:
    name = namespace_of(advice.facts)
    lines = [
        '<p id="list"></p>',
        '<script src="/sdk/wirehop.old.js"></script>',
        "<script>",
        '  var client = wirehop.connect("/");',
        f'  client.subscribe("{name}:1", {{',
        "    publication: function (publication) {",
        '      document.getElementById("list").appendChild(document.createTextNode(JSON.stringify(publication.data)));',
        "    },",
        "  });",
    ]
    if name != ONE_WAY:
        lines.append(f'  client.publish("{name}:1", {{ text: "hello" }}, function () {{}});')
    return "\n".join([*lines, "</script>", ""])
