"""Files of one directory over HTTP: content types, validators, and no way out of the directory.

    static = Static(importlib.resources.files("wirehop.pages") / "dist", cache_control="max-age=300")
    static.serve(exchange, "js/app.js")

Small files stay in memory and are read again when their modification time, size or identity changes. Files
are read whole on the loop's thread: it is for the pages of an application, not for films. It knows
`Exchange`; it does not know who provides one.
"""

from hashlib import sha256
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from msgspec import Struct

from wirehop.abc import Exchange, Headers

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "application/typescript; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_INDEX = "index.html"

Identity = tuple[int, int, int, int]
"""Device, inode, modification time and size: another one of these, another content."""


class _File(Struct, frozen=True):
    """A file as it was read. `identity` is None where the source has none (a zip): it never changes."""

    headers: tuple[tuple[str, str], ...]
    etag: str
    body: bytes
    identity: Identity | None


class Static:
    """Serves `directory`, each file with `headers` added. At most `memory_bytes` are kept, of files up to `file_bytes`
    each."""

    def __init__(
        self,
        directory: Traversable,
        *,
        cache_control: str = "no-cache",
        file_bytes: int = 262_144,
        memory_bytes: int = 16_777_216,
        headers: Headers = (),
    ) -> None:
        self._root = directory.resolve() if isinstance(directory, Path) else directory
        self._cache_control = cache_control
        self._file_bytes = file_bytes
        self._memory_bytes = memory_bytes
        self._headers = tuple(headers)
        self._files: dict[str, _File] = {}
        self._held = 0

    def serve(self, exchange: Exchange, path: str) -> None:
        """Answer GET or HEAD with the file at `path` (decoded, below the directory), else 404 or 405."""
        request = exchange.request
        if request.method not in ("GET", "HEAD"):
            exchange.respond(405, (_TEXT, ("Allow", "GET, HEAD")), b"only GET and HEAD\n")
            return
        segments = [segment for segment in path.split("/") if segment]
        wants_directory = path.endswith("/") or not segments
        if not all(map(_is_servable, segments)):
            exchange.respond(404, (_TEXT,), b"not found\n")
            return
        file = self._find("/".join([*segments, _INDEX] if wants_directory else segments))
        if file is None:
            self._miss(exchange, segments, wants_directory=wants_directory)
        elif _matches(request.headers.get("if-none-match", ""), file.etag):
            exchange.respond(304, file.headers[1:])  # all but the content type
        else:
            exchange.respond(200, file.headers, file.body)

    def _miss(self, exchange: Exchange, segments: list[str], *, wants_directory: bool) -> None:
        """A directory without its slash is sent to where relative links work; all else is not there."""
        if wants_directory or self._find("/".join([*segments, _INDEX])) is None:
            exchange.respond(404, (_TEXT,), b"not found\n")
            return
        # relative, so that it holds below any prefix; "./" keeps a name with a colon from being a scheme
        place = f"./{quote(segments[-1])}/"
        query = exchange.request.query
        exchange.respond(301, (_TEXT, ("Location", f"{place}?{query}" if query else place)), b"")

    def _find(self, name: str) -> _File | None:
        known = self._files.get(name)
        if known is not None:
            if known.identity == self._identify(name):
                return known
            self._drop(name)
        file = self._read(name)
        if file is not None and len(file.body) <= self._file_bytes:
            self._keep(name, file)
        return file

    def _identify(self, name: str) -> Identity | None:
        if not isinstance(self._root, Path):
            return None
        try:
            status = (self._root / name).stat()
        except OSError:
            return (0, 0, 0, 0)  # gone: equal to no identity
        return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self, name: str) -> _File | None:
        identity = self._identify(name)
        try:
            place: Traversable = self._root.joinpath(*name.split("/"))
            if isinstance(self._root, Path):
                place = (self._root / name).resolve()
                if not place.is_relative_to(self._root):  # a link that leads out of the directory
                    return None
            if not place.is_file():
                return None
            body = place.read_bytes()
        except (OSError, ValueError):
            return None
        etag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = (
            ("Content-Type", _TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")),
            ("ETag", etag),
            ("Cache-Control", self._cache_control),
            ("X-Content-Type-Options", "nosniff"),
            *self._headers,
        )
        return _File(headers, etag, body, identity)

    def _keep(self, name: str, file: _File) -> None:
        self._files[name] = file
        self._held += len(file.body)
        while self._held > self._memory_bytes:
            self._drop(next(iter(self._files)))

    def _drop(self, name: str) -> None:
        self._held -= len(self._files.pop(name).body)


def _is_servable(segment: str) -> bool:
    """Not hidden, not a way up, and a plain name on every system (Windows gives colons a meaning)."""
    if segment.startswith("."):
        return segment == ".well-known"
    return not any(character in segment for character in "\\:\0")


def _matches(header: str, etag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110 section 13.1.2)."""
    if not header:
        return False
    return header.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in header.split(",")]
