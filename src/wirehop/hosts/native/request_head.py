"""One request head: a block of bytes up to its empty line to a checked `Head`.

httptools reads the fields; what it leaves to its caller is checked here: versions, Host, framing, limits. The
block is cut by the connection, so a parser lives for one call and no connection keeps one. A head without anything
special in it, which most are, is read by one regular expression that lets through nothing that httptools would not;
a test holds the two equal. Pure: it raises `Refusal` and knows no socket.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import httptools
from msgspec import Struct

from wirehop.hosts.native.options import HostOptions
from wirehop.hosts.native.refusals import Refusal, bad_request
from wirehop.hosts.native.target import parse_target

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ ")
_VERSION = re.compile(rb"HTTP/\d(?:\.\d+)?")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]*)(?::\d{0,5})?")
_PLAIN = re.compile(
    rb"(GET|POST|HEAD|OPTIONS) (/[A-Za-z0-9/?&=%:_.~,;@!$'()*+-]*) HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n"
)
_SPECIAL = frozenset({"transfer-encoding", "expect"})
_KEPT_HEADS, _KEPT_BYTES = 256, 1024
_SECRET = frozenset({"authorization", "cookie", "proxy-authorization", "sec-websocket-key"})


class Head(Struct, frozen=True, gc=False):
    """What a request's head says. `length` is the body's size, -1 for chunked."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    is_1_1: bool
    keeps_alive: bool
    length: int
    expects_continue: bool


class _Fields:
    """What httptools calls for one head."""

    __slots__ = ("headers", "is_complete", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.is_complete = True


def check_beginning(block: bytes | bytearray, start: int, options: HostOptions) -> None:
    """Refuse an unfinished head as soon as it cannot become a good one. Reads `block[start:]` only."""
    if len(block) > options.target_bytes and block.find(b"\r\n", 0, options.target_bytes + 2) < 0:
        raise _target_too_long(options)
    if len(block) > options.header_bytes:
        raise _head_too_large(options)
    if _CONTROL.search(block, start):  # a bare LF would never end the head; a TLS hello isn't HTTP
        raise bad_request("http.bad_request", "control characters in the request head")


class HeadReader:
    """Reads heads, and remembers a few of the latest: clients of one make that poll one address, or post to it, send
    the same bytes again and again. Heads that hold somebody's credentials are not kept."""

    __slots__ = ("_known", "_options")

    def __init__(self, options: HostOptions) -> None:
        self._options = options
        self._known: dict[bytes, Head] = {}

    def known(self, data: bytes) -> Head | None:
        """The head that `data` is, to its last byte, if it is one of those remembered."""
        return self._known.get(data) if len(data) <= _KEPT_BYTES else None

    def read(self, block: bytes) -> Head:
        """Read `block`, which ends with the first empty line after the request line. Raises `Refusal`."""
        head = self._known.get(block)
        if head is None:
            head = parse_head(block, self._options)
            if len(block) <= _KEPT_BYTES and _SECRET.isdisjoint(head.headers):
                if len(self._known) >= _KEPT_HEADS:
                    self._known.clear()
                self._known[block] = head
        return head


def parse_head(block: bytes, options: HostOptions) -> Head:
    """Read `block`, which ends with the first empty line after the request line. Raises `Refusal`."""
    if len(block) <= min(options.header_bytes, options.target_bytes):
        head = _plain_head(block, options)
        if head is not None:
            return head
    line = block[: block.index(b"\r\n")]
    if len(line) > options.target_bytes:
        raise _target_too_long(options)
    if len(block) > options.header_bytes:
        raise _head_too_large(options)
    is_1_1 = line.endswith(b" HTTP/1.1")
    if not is_1_1 and not line.endswith(b" HTTP/1.0"):
        if _VERSION.fullmatch(line[line.rfind(b" ") + 1 :]):
            raise Refusal(505, "http.version", "only HTTP/1.1 and HTTP/1.0 are spoken here")
        raise bad_request("http.bad_request", "the request line names no HTTP version")
    fields = _Fields()
    parser = httptools.HttpRequestParser(fields)
    try:
        parser.feed_data(block)
    except httptools.HttpParserUpgrade:
        pass  # whether it becomes a WebSocket is the handler's decision
    except httptools.HttpParserInvalidMethodError:
        if _METHOD.match(block):
            raise Refusal(501, "http.method_unknown", "the request method is not known") from None
        raise bad_request("http.bad_request", "the request line has no valid method") from None
    except httptools.HttpParserError as error:
        if not fields.is_complete:  # llhttp judges transfer codings after the head; so do we, below
            raise bad_request("http.bad_request", f"malformed request head: {_sentence(error)}") from None
    if not fields.is_complete:
        raise bad_request("http.bad_request", "malformed request head")
    if len(fields.headers) > options.header_count:
        raise Refusal(431, "http.too_many_headers", f"more than {options.header_count} header fields in one request")
    return _judge(parser.get_method().decode("ascii"), fields, is_1_1)


def _plain_head(block: bytes, options: HostOptions) -> Head | None:
    """A head whose fields differ in name and frame no body but by a plain Content-Length; None for any other."""
    match = _PLAIN.fullmatch(block)
    if match is None:
        return None
    method, target, lines = match[1].decode("ascii"), match[2].decode("ascii"), match[3].decode("latin-1")
    headers: dict[str, str] = {}
    fields = lines[:-2].split("\r\n")
    for field in fields:
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip(" \t")
    length = headers.get("content-length", "0")
    if (
        len(headers) != len(fields)
        or len(fields) > options.header_count
        or not _SPECIAL.isdisjoint(headers)
        or not (length.isascii() and length.isdigit() and len(length) <= 18)
    ):
        return None
    path, query, _ = parse_target(target, method)
    _check_host(headers, [], is_1_1=True)
    return Head(
        method=method,
        path=path,
        query=query,
        headers=headers,
        is_1_1=True,
        keeps_alive="connection" not in headers or "close" not in tokens_of(headers["connection"]),
        length=int(length),
        expects_continue=False,
    )


def _judge(method: str, fields: _Fields, is_1_1: bool) -> Head:
    if method == "CONNECT":
        raise Refusal(501, "http.method_unknown", "CONNECT is not served")
    path, query, authority = parse_target(fields.target.decode("latin-1"), method)
    headers = _joined(fields.headers)
    _check_host(headers, fields.headers, is_1_1)
    if authority:  # RFC 9112 section 3.2.2: the authority of an absolute target replaces Host
        headers["host"] = authority
    tokens = tokens_of(headers.get("connection", ""))
    return Head(
        method=method,
        path=path,
        query=query,
        headers=headers,
        is_1_1=is_1_1,
        # RFC 9112 section 9.3: 1.1 persists unless told otherwise, 1.0 only when asked to
        keeps_alive="close" not in tokens and (is_1_1 or "keep-alive" in tokens),
        length=_body_length(headers, is_1_1),
        expects_continue=_expects_continue(headers, is_1_1),
    )


def _joined(fields: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name = raw_name.decode("ascii").lower()
        value = raw_value.decode("latin-1").strip(" \t")
        if name in headers:  # RFC 9110 section 5.3, and RFC 6265 section 5.4 for cookies
            value = headers[name] + ("; " if name == "cookie" else ", ") + value
        headers[name] = value
    return headers


def _check_host(headers: Mapping[str, str], fields: list[tuple[bytes, bytes]], is_1_1: bool) -> None:
    """RFC 9112 section 3.2: a 1.1 request without exactly one valid Host MUST be answered with 400."""
    host = headers.get("host")
    if host is None:
        if is_1_1:
            raise bad_request("http.bad_host", "the request has no Host header")
        return
    if "," in host and sum(name.lower() == b"host" for name, _ in fields) > 1:
        raise bad_request("http.bad_host", "the request has more than one Host header")
    if not _is_host(host):
        raise bad_request("http.bad_host", "the Host header is malformed")


@lru_cache(maxsize=64)
def _is_host(host: str) -> bool:
    return _HOST.fullmatch(host) is not None


def tokens_of(value: str) -> frozenset[str]:
    """The tokens of a header like Connection or Upgrade, in lower case."""
    if len(value) > 64:
        return _tokens(value)
    return _known_tokens(value)


def _tokens(value: str) -> frozenset[str]:
    return frozenset(token.strip(" \t").lower() for token in value.split(","))


_known_tokens = lru_cache(maxsize=64)(_tokens)


def _body_length(headers: Mapping[str, str], is_1_1: bool) -> int:
    """RFC 9112 section 6.3, with everything that two readers could read differently refused."""
    length = headers.get("content-length")
    coding = headers.get("transfer-encoding")
    if coding is not None:
        if length is not None:
            raise bad_request("http.smuggling", "both Content-Length and Transfer-Encoding")
        if not is_1_1:  # section 6.1: in HTTP/1.0 its framing is faulty
            raise bad_request("http.smuggling", "Transfer-Encoding in an HTTP/1.0 request")
        if coding.lower() != "chunked":
            raise Refusal(501, "http.transfer_coding", "the only transfer coding understood is chunked")
        return -1
    if length is None:
        return 0
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        raise bad_request("http.smuggling", "Content-Length is not one number")
    return int(length)


def _expects_continue(headers: Mapping[str, str], is_1_1: bool) -> bool:
    expected = headers.get("expect")
    if expected is None or not is_1_1:  # RFC 9110 section 10.1.1: ignore it in a 1.0 request
        return False
    if expected.lower() != "100-continue":
        raise Refusal(417, "http.expectation", "the only expectation understood is 100-continue")
    return True


def _sentence(error: Exception) -> str:
    return str(error) or "unreadable"


def _target_too_long(options: HostOptions) -> Refusal:
    return Refusal(414, "http.target_too_long", f"the request line is longer than {options.target_bytes} bytes")


def _head_too_large(options: HostOptions) -> Refusal:
    return Refusal(431, "http.header_too_large", f"the request head is larger than {options.header_bytes} bytes")
