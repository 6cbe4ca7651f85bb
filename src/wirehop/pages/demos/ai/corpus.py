"""The text that the toy carries along: what it says is put together from these sentences."""

from typing import Final

SENTENCES: Final = (
    "A WebSocket is one connection that carries messages both ways, so it is the first choice where it gets through.",
    "Some proxies do not know WebSocket and answer the upgrade with an error, or not at all.",
    "Server-Sent Events are an HTTP answer that never ends: the server writes events, and the browser reads them.",
    "An event stream carries an id with each event, and the browser sends the last one when it comes back.",
    "With long polling the client asks, and the server answers only when there is something to say.",
    "Long polling costs a request for each answer, yet it passes through every proxy that knows HTTP.",
    "Short polling asks again and again; it is simple, and most of its answers are empty.",
    "A proxy that buffers holds the bytes of a stream back until it has enough of them, and so answers stall.",
    "A stream of tokens is best gathered into a few dozen publications each second: nobody reads faster.",
    "The position in a channel belongs to the client: with it the client goes on over any wire, after a reload too.",
    "Recovery is complete, or it says that it is not; it is never partial and never silent.",
    "Who reloads the page in the middle of an answer goes on at the same token.",
    "The generator does not know who is reading: it goes on when the last reader has left.",
    "Stopping an answer has to reach the generator, because tokens that nobody reads still cost money.",
    "A second device that opens the conversation joins the answer that is being written.",
    "A slow reader must not make the others wait, so it catches up from the history of the channel.",
    "An error is a part of the answer like any other, and what was said before it stays.",
    "In a tunnel nothing gets through; a good client notices the silence before the browser does.",
    "Heartbeats tell a silent connection from a dead one, and a client that hears none looks for another wire.",
    "The time to the first token is what people feel, and the tokens each second are what they read.",
    "A queue with a limit is honest: it says how many are in front, and it refuses when there are too many.",
    "A reload asks for the messages as they are, and then for everything after that position.",
    "Each publication of a channel has an offset, one more than the one before, in a log with an epoch.",
    "Several people can read the same answer; the server encodes each publication once for all of them.",
    "A session outlives its connection for a while, so that a cut is no end.",
    "Moving from one wire to another loses nothing when both are open for a moment and duplicates are dropped.",
)

CODE: Final = (
    (
        "python",
        """import asyncio
from wirehop.client import Client


async def main() -> None:
    # Whatever the wire: nothing is lost, nothing comes twice.
    async with Client("http://localhost:8000") as client:
        async with client.subscribe("news") as news:
            async for publication in news:
                print(publication.offset, publication.data)


asyncio.run(main())
""",
    ),
    (
        "js",
        """import { connect } from "/sdk/wirehop.js";

const client = connect(); // the page's own server
const news = client.channel("news");
for await (const { offset, data } of news) {
  console.log(offset, data);
}
""",
    ),
    ("sh", "curl -N -H 'Accept: text/event-stream' http://localhost:8000/channels/news\n"),
)

TABLE: Final = """| Wire | Both ways | Through old proxies | Requests |
| :--- | :---: | :---: | ---: |
| WebSocket | yes | often | 1 |
| Server-Sent Events | down only | mostly | 1 |
| Long poll | down only | **always** | 1 per answer |
| Short poll | down only | **always** | 1 per look |
"""
