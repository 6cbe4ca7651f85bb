"""Request targets (RFC 9112 section 3.2): bytes of a request line to a decoded path and a raw query.

Pure. What cannot be read in exactly one way is refused: two readers of one target are how paths get smuggled.
"""

import re
from urllib.parse import unquote_to_bytes

from wirehop.hosts.native.refusals import bad_request

_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def parse_target(target: str, method: str) -> tuple[str, str, str]:
    """(path, query, authority); the authority is "" unless the target is in absolute form.

    The path is percent-decoded, starts with `/` and holds neither NUL nor a `..` segment.
    """
    authority = ""
    if not target.startswith("/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is not None:  # RFC 9112 section 3.2.2: a server MUST accept the absolute form
            authority, target = absolute.groups()
            if not authority or "@" in authority:
                raise bad_request("http.bad_target", "the request target has no usable host")
            if not target.startswith("/"):
                target = "/" + target
        elif target == "*" and method == "OPTIONS":  # section 3.2.4: about the server as a whole
            target = "/"
        else:
            raise bad_request("http.bad_target", "the request target is neither a path nor an http URL")
    if "#" in target:
        raise bad_request("http.bad_target", "the request target holds a fragment")
    path, _, query = target.partition("?")
    return _decode(path), query, authority


def _decode(path: str) -> str:
    if "%" in path:
        if _BROKEN_ESCAPE.search(path):
            raise bad_request("http.bad_path", "the path holds a percent sign that escapes nothing")
        try:
            path = unquote_to_bytes(path).decode()
        except UnicodeDecodeError:
            raise bad_request("http.bad_path", "the path is not UTF-8") from None
        if "\0" in path:
            raise bad_request("http.bad_path", "the path holds a NUL")
    if "/.." in path and ".." in path.split("/"):
        raise bad_request("http.bad_path", "the path holds a '..' segment")
    return path
