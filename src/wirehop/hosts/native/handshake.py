"""The opening handshake of RFC 6455 section 4.2: a request to the head that accepts it, or a refusal.

Pure. It knows one request; it does not know connections, origins or what will be spoken.
"""

from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from hashlib import sha1

from wirehop.abc import Request
from wirehop.hosts.native.refusals import Refusal, bad_request
from wirehop.hosts.native.request_head import tokens_of

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION = (("Sec-WebSocket-Version", "13"),)
_UPGRADE = (("Upgrade", "websocket"), ("Connection", "Upgrade"))


def accept(request: Request, *, is_1_1: bool, subprotocol: str = "", extensions: str = "") -> bytes:
    """The 101 response; `extensions` is what was agreed, "" for nothing.

    Raises `Refusal` for a request that is no valid handshake, and ValueError for a subprotocol not offered.
    """
    headers = request.headers
    if "websocket" not in tokens_of(headers.get("upgrade", "")):
        raise Refusal(426, "http.not_websocket", "this address speaks WebSocket: no Upgrade: websocket", _UPGRADE)
    if request.method != "GET" or not is_1_1:  # section 4.1: GET, HTTP/1.1 or higher
        raise bad_request("http.websocket_method", "a WebSocket begins with GET in HTTP/1.1")
    if "upgrade" not in tokens_of(headers.get("connection", "")):
        raise bad_request("http.websocket_connection", "Connection does not say Upgrade: a proxy may have cut it")
    if headers.get("sec-websocket-version") != "13":  # section 4.4
        raise Refusal(426, "http.websocket_version", "only WebSocket version 13 is spoken here", _VERSION)
    key = headers.get("sec-websocket-key", "").encode("latin-1")
    if not _is_key(key):
        raise bad_request("http.websocket_key", "Sec-WebSocket-Key is not the base64 of 16 bytes")
    chosen = ""
    if subprotocol:
        if subprotocol not in (headers.get("sec-websocket-protocol") or "").replace(" ", "").split(","):
            raise ValueError(f"the client did not offer the subprotocol {subprotocol!r}")
        chosen = f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
    if extensions:
        chosen += f"Sec-WebSocket-Extensions: {extensions}\r\n"
    # section 4.2.2 number 5.4: SHA-1 names the key here, it protects nothing
    digest = b64encode(sha1(key + _GUID, usedforsecurity=False).digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {digest}\r\n{chosen}\r\n"
    ).encode("latin-1")


def _is_key(key: bytes) -> bool:
    if len(key) != 24:  # so two keys, joined with a comma, are none
        return False
    try:
        return len(a2b_base64(key, strict_mode=True)) == 16
    except Base64Error:
        return False
