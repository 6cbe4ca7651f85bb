"""How long a proxy bears silence: an event stream, a WebSocket and a long poll at once, on which nothing is sent.

The server's heartbeats are left out on purpose: what is found is how long a proxy would wait for one.
"""

import asyncio
import math
import ssl

import msgspec
from websockets.exceptions import WebSocketException

from wirehop.client.errors import HttpError
from wirehop.client.http import HttpClient
from wirehop.codecs.event_stream import EventStreamError
from wirehop.doctor import advice
from wirehop.doctor.findings import Finding
from wirehop.doctor.sockets import dial
from wirehop.doctor.streams import beats
from wirehop.transports.doctor import LONGEST_SECONDS, PATH, Info

_GRACE = 15.0  # seconds that an answer may take beyond the silence


async def examine_silence(
    http: HttpClient, tls: ssl.SSLContext | None, info: Info, seconds: float, *, has_sockets: bool
) -> list[Finding]:
    """Be silent for `seconds` on each kind of wire."""
    seconds = min(seconds, LONGEST_SECONDS)
    probes = [_stream(http, seconds), _poll(http, seconds)]
    if has_sockets:
        probes.append(_socket(http, tls, seconds))
    ends = await asyncio.gather(*probes)
    names = ("idle-stream", "idle-poll", "idle-websocket")
    needs = (info.heartbeat, info.poll_wait, info.heartbeat)
    return [judge(name, end, seconds, need) for name, end, need in zip(names, ends, needs, strict=False)]


def judge(name: str, end: tuple[float, str], silence: float, need: float) -> Finding:
    """`end`: how long it lasted, and how it was cut ("": it was not). `need`: the longest silence of a healthy wire."""
    lasted, how = end
    is_poll = name == "idle-poll"
    what = "polls are held up to" if is_poll else "heartbeats come every"
    change = (advice.IDLE_POLL if is_poll else advice.IDLE).format(need=math.ceil(need * 1.5 + 10))
    if not how:
        more = "" if silence > need else f"; --idle {need * 1.2:.0f}s looks that far"
        return Finding(name, "ok", f"{silence:g} s of silence are borne ({what} {need:g} s{more})")
    seen = f"cut after {lasted:.1f} s of silence ({how}); {what} {need:g} s"
    if lasted < need + 0.5:
        return Finding(name, "bad", seen, change)
    return Finding(name, "warn" if lasted < 1.2 * need else "ok", seen, change if lasted < 1.2 * need else "")


async def _stream(http: HttpClient, seconds: float) -> tuple[float, str]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    headers = [("Accept", "text/event-stream")]
    try:
        async with http.stream("GET", f"{PATH}?wait={seconds:g}s", headers=headers, idle=seconds + _GRACE) as stream:
            if stream.status != 200:
                return loop.time() - began, f"answered {stream.status}"
            async for beat in beats(stream):
                if beat.is_last:
                    return loop.time() - began, ""
    except (HttpError, EventStreamError, msgspec.DecodeError) as error:
        return loop.time() - began, str(error)
    return loop.time() - began, "the stream ended"


async def _poll(http: HttpClient, seconds: float) -> tuple[float, str]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        answer = await http.request("GET", f"{PATH}?wait={seconds:g}s", timeout=seconds + _GRACE)
    except HttpError as error:
        return loop.time() - began, str(error)
    return loop.time() - began, "" if answer.status == 200 else f"answered {answer.status}"


async def _socket(http: HttpClient, tls: ssl.SSLContext | None, seconds: float) -> tuple[float, str]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with (
            dial(http.address, f"{PATH}?wait={seconds:g}s", tls, http.timeout) as socket,
            asyncio.timeout(seconds + _GRACE),
        ):
            await socket.recv()
    except (OSError, TimeoutError, EOFError, WebSocketException) as error:
        return loop.time() - began, str(error) or "no answer"
    return loop.time() - began, ""
