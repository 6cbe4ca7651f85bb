"""`Frame`: one publication with its bytes for each kind of wire, made once and shared by everybody who receives it.

A `Lane` is a kind of wire as the fan-out sees it: how a publication is written (`render`) and what stands around it
on that wire (`wrap`). Slots of one lane receive the same bytes. A new transport or codec is a new lane; nothing here
changes.
"""

from collections.abc import Callable, Sequence

from wirehop.codecs.framing import BINARY, chunk, deflated_frame, websocket_frame
from wirehop.core.messages import Publication


def identity(data: bytes) -> bytes:
    """No framing: the host adds its own, or needs none."""
    return data


WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "websocket": websocket_frame,
    "websocket-deflate": deflated_frame,
    "chunked": chunk,
    "identity": identity,
}
"""What the framings of `abc.Framing` put around a text payload."""

BINARY_WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "websocket": lambda payload: websocket_frame(payload, BINARY),
    "websocket-deflate": lambda payload: deflated_frame(payload, BINARY),
    "chunked": chunk,
    "identity": identity,
}
"""The same around a binary payload."""


class Lane:
    """How publications are written to one kind of wire.

    `name` is the transport's, for the metrics. `render(channel, publication, epoch)` gives the payload; `wrap` frames
    it. Where `is_shared` is false each wire writes its own bytes, and the fan-out leaves its slots to their machines.
    Lanes are compared by identity.
    """

    __slots__ = ("is_shared", "name", "render", "wrap")

    def __init__(
        self,
        name: str,
        render: Callable[[str, Publication, str], bytes],
        wrap: Callable[[bytes], bytes] = identity,
        *,
        is_shared: bool = True,
    ) -> None:
        self.name = name
        self.is_shared = is_shared
        self.render = render
        self.wrap = wrap

    def join(self, frames: Sequence["Frame"]) -> bytes:
        """The frames as one buffer, in order."""
        if len(frames) == 1:
            return frames[0].encoded(self)
        return b"".join([frame.encoded(self) for frame in frames])


class Frame:
    """One publication of one channel. Its encodings live as long as it does."""

    __slots__ = ("_encoded", "channel", "epoch", "publication")

    def __init__(self, channel: str, publication: Publication, epoch: str) -> None:
        self.channel = channel
        self.publication = publication
        self.epoch = epoch
        self._encoded: dict[Lane, bytes] = {}

    def encoded(self, lane: Lane) -> bytes:
        """The bytes for this lane."""
        data = self._encoded.get(lane)
        if data is None:
            data = lane.wrap(lane.render(self.channel, self.publication, self.epoch))
            self._encoded[lane] = data
        return data
