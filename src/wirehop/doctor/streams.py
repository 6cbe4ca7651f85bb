"""Event streams through a proxy: passed on at once, held back, or compressed?

The server sends small events at known times, one that is larger than any usual buffer, and a small one again; each says
when it was sent. What matters is how much later than the quickest of them another one comes: neither clocks nor the
distance play a part.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator

import msgspec
from msgspec import Struct

from wirehop.client.errors import HttpError
from wirehop.client.http import HttpClient, Stream
from wirehop.codecs.event_stream import EventStreamDecoder, EventStreamError
from wirehop.doctor import advice
from wirehop.doctor.findings import Finding
from wirehop.transports.doctor import PATH, Beat

ACCEPT = [("Accept", "text/event-stream"), ("Accept-Encoding", "gzip, deflate, br"), ("Cache-Control", "no-cache")]
HELD_SECONDS = 0.28
"""An event that comes so much later than another was held back."""
DELAYED_SECONDS = 0.12
"""… and so much: somebody waits for acknowledgements (Nagle's algorithm)."""
_COMPRESSIONS = ("gzip", "deflate")


class Arrival(Struct, frozen=True):
    """An event, and how many seconds after the head of the answer it came."""

    beat: Beat
    at: float

    @property
    def lateness(self) -> float:
        """Against the server's beginning, which is not known: only differences mean anything."""
        return self.at - self.beat.at


async def examine_stream(http: HttpClient) -> list[Finding]:
    """What is wrong with event streams; twice where they seem to be late, for a machine that was busy."""
    findings: list[Finding] = []
    for _ in range(2):
        findings = await _examine_once(http)
        if all(finding.verdict == "ok" for finding in findings):
            break
    return findings


async def _examine_once(http: HttpClient) -> list[Finding]:
    loop = asyncio.get_running_loop()
    arrivals: list[Arrival] = []
    try:
        async with http.stream("GET", PATH, headers=ACCEPT, idle=http.timeout) as stream:
            if stream.status != 200:
                return [Finding("stream", "bad", f"an event stream is answered {stream.status}", advice.BACK_END)]
            kind = stream.headers.get("content-type", "none")
            coding = stream.headers.get("content-encoding", "")
            if coding and coding not in _COMPRESSIONS:
                return [
                    Finding("stream-compressed", "bad", f"event streams are compressed ({coding})", advice.COMPRESSED)
                ]
            began = loop.time()
            async for beat in beats(stream, coding):
                arrivals.append(Arrival(beat, loop.time() - began))  # noqa: PERF401 - what came before an error counts
    except (HttpError, EventStreamError, msgspec.DecodeError, zlib.error) as error:
        return [
            Finding("stream", "bad", f"an event stream breaks after {len(arrivals)} events: {error}", advice.BUFFERED)
        ]
    findings = []
    if not kind.startswith("text/event-stream"):
        change = "nothing may change the Content-Type: a browser closes such a stream for ever"
        findings.append(Finding("stream", "bad", f"an event stream comes as {kind}", change))
    found = judge(arrivals)
    if coding:
        seen = f"event streams are compressed ({coding})"
        if found.verdict != "ok":
            seen += f"; {found.seen}"
        found = Finding("stream-compressed", "bad", seen, advice.COMPRESSED)
    return [*findings, found]


async def beats(stream: Stream, coding: str = "") -> AsyncIterator[Beat]:
    """The events of a stream."""
    decoder = EventStreamDecoder()
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32) if coding else None
    async for piece in stream:
        for event in decoder.feed(inflater.decompress(piece) if inflater else piece):
            yield msgspec.json.decode(event.data, type=Beat)


def judge(arrivals: list[Arrival]) -> Finding:
    """Whether they came as they were sent."""
    if not arrivals or not arrivals[-1].beat.is_last:
        seen = f"an event stream ends after {len(arrivals)} events, before its last one"
        return Finding("stream", "bad", seen, advice.BUFFERED)
    quickest = min(arrival.lateness for arrival in arrivals)
    latest = max(arrivals, key=lambda arrival: arrival.lateness)
    late = latest.lateness - quickest
    if late >= HELD_SECONDS:
        first, last = arrivals[0].at, arrivals[-1].at
        padded = next((arrival.at for arrival in arrivals if arrival.beat.padding), last)
        if last - first < HELD_SECONDS / 2:
            until = "until the stream ends"
        elif padded - first < HELD_SECONDS / 2:
            until = "until much has gathered"
        else:
            until = "for a while"
        seen = f"events are held back {until}: one came {late:.1f} s late"
        return Finding("stream-buffered", "bad", seen, advice.BUFFERED)
    if late >= DELAYED_SECONDS:
        seen = f"some events come {late * 1000:.0f} ms later than others: somebody gathers small packets"
        return Finding("stream-delayed", "warn", seen, advice.DELAYED)
    return Finding(
        "stream", "ok", f"events come as they are sent (the slowest {late * 1000:.0f} ms after the quickest)"
    )
