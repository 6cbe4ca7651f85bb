"""A client's bytes to whole requests, one at a time, in any chunking. Pure; it raises `Refusal`.

`feed` keeps, `next` reads. Nothing is read ahead: what follows a request stays as bytes until it is asked
for, so a WebSocket's first frames and pipelined requests are still there. Its keeper bounds what is fed
(`held` says how much); heads and bodies are bounded here.
"""

import re

from wirehop.hosts.native.bodies import ChunkedBody, FixedBody
from wirehop.hosts.native.options import HostOptions
from wirehop.hosts.native.request_head import Head, HeadReader, check_beginning

_END = b"\r\n\r\n"
_EMPTY_LINES = re.compile(rb"(?:\r\n)*")


class RequestReader:
    """The receiving half of an HTTP connection."""

    __slots__ = ("_body", "_head", "_heads", "_options", "_searched", "inbox")

    def __init__(self, options: HostOptions, heads: HeadReader | None = None) -> None:
        self._options = options
        self._heads = HeadReader(options) if heads is None else heads
        self.inbox = bytearray()  # fed and not yet read; others only look
        self._searched = 0  # so far no end of head
        self._head: Head | None = None  # whose body is being read
        self._body: FixedBody | ChunkedBody | None = None

    @property
    def held(self) -> int:
        """Bytes fed and not yet read."""
        return len(self.inbox)

    @property
    def is_in_body(self) -> bool:
        """Whether a body is begun and not complete."""
        return self._body is not None

    @property
    def awaits_continue(self) -> bool:
        """Whether the peer may be waiting for 100 Continue before it sends its body."""
        return self._head is not None and self._head.expects_continue and not self.inbox

    def feed(self, data: bytes) -> None:
        """Keep `data`."""
        self.inbox += data

    def whole(self, data: bytes) -> tuple[Head, bytes] | None:
        """The request that `data` is, if it is just one and nothing came before it; else None, and `data` is to be
        fed. Raises `Refusal` as `next` would."""
        if self.inbox or self._head is not None:
            return None
        head = self._heads.known(data)
        if head is not None and head.length == 0:
            return head, b""
        end = data.find(_END) + len(_END)
        if end < len(_END) or data.startswith(b"\r\n"):
            return None
        size = len(data) - end
        head = self._heads.read(data[:end] if size else data)
        if head.length != size or size > self._options.body_bytes:
            return None
        return head, data[end:]

    def next(self) -> tuple[Head, bytes] | None:
        """The next whole request with its body; None while it is incomplete."""
        head = self._head
        if head is None:
            head = self._cut_head()
            if head is None:
                return None
            if head.length == 0:
                return head, b""
            self._body = ChunkedBody(self._options) if head.length < 0 else FixedBody(head.length, self._options)
            self._head = head
        assert self._body is not None
        rest = self._body.feed(self.take_rest()) if self.inbox else None
        if rest is None:
            return None
        self.inbox += rest
        body = bytes(self._body.body)
        self._head = self._body = None
        return head, body

    def take_rest(self) -> bytes:
        """All that has not been read; afterwards nothing is held."""
        rest = bytes(self.inbox)
        self.inbox.clear()
        self._searched = 0
        return rest

    def _cut_head(self) -> Head | None:
        inbox = self.inbox
        if self._searched <= 1 and inbox.startswith(b"\r\n"):
            del inbox[: _leading_lines(inbox)]  # RFC 9112 section 2.2: ignore empty lines before a request
            self._searched = 0
        if not inbox:
            return None
        start = max(self._searched - len(_END), 0)
        end = inbox.find(_END, start)
        if end < 0:
            check_beginning(inbox, start, self._options)
            self._searched = len(inbox)
            return None
        end += len(_END)
        block = bytes(inbox[:end])
        del inbox[:end]
        self._searched = 0
        return self._heads.read(block)


def _leading_lines(inbox: bytearray) -> int:
    """How many bytes of empty lines it begins with."""
    match = _EMPTY_LINES.match(inbox)
    return match.end() if match else 0
