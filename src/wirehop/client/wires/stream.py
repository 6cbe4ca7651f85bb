"""A session over an HTTP stream: a line of JSON for each reply down one answer, commands up by `POST /emulation`."""

from typing import Final

from wirehop.client.errors import WireLost
from wirehop.client.wire import Listener, read_replies, refused
from wirehop.client.wires.sse import JSON, RECEIVED_CHARACTERS, SseWire
from wirehop.codecs.json_lines import encode_command
from wirehop.core.messages import Command

PATH: Final = "/connection/http_stream"


class StreamWire(SseWire):
    """Implements `Wire`: what goes up is as with Server-Sent Events."""

    name = "stream"

    async def _receive(self, connect: Command, listener: Listener) -> None:
        rest = b""
        async with self._http.stream("POST", PATH, headers=JSON, body=encode_command(connect)) as stream:
            if stream.status != 200:
                raise refused(stream.status, await stream.body())
            async for piece in stream:
                lines, _, rest = (rest + piece).rpartition(b"\n")
                if len(rest) > RECEIVED_CHARACTERS:
                    raise WireLost(0, f"a line of the server is longer than {RECEIVED_CHARACTERS} bytes")
                if lines:
                    replies = read_replies(lines)
                    self._learn(replies)
                    listener.received(replies)
        raise WireLost(0, "the stream ended")
