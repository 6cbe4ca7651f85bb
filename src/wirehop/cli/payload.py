"""What `wirehop publish` was given, as bodies with their content types."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

JSON, TEXT, BINARY = "application/json", "text/plain; charset=utf-8", "application/octet-stream"


def bodies(data: str | None, *, is_text: bool, binary: Path | None, by_line: bool) -> Iterator[tuple[bytes, str]]:
    """One body, or one per line of the standard input. Raises `click.UsageError` for what contradicts itself."""
    if (data is None) == (binary is None):
        raise click.UsageError("give DATA (`-` reads the standard input), or --binary FILE")
    if by_line and data != "-":
        raise click.UsageError("--lines reads the standard input: give `-` as DATA")
    if binary is not None:
        yield binary.read_bytes(), BINARY
    elif by_line:
        with click.open_file("-", encoding="utf-8") as lines:
            for line in lines:
                yield text_body(line.rstrip("\r\n"), is_text=is_text)
    elif data == "-":
        with click.open_file("-", encoding="utf-8") as file:
            yield text_body(file.read(), is_text=is_text)
    elif data is not None:
        yield text_body(data, is_text=is_text)


def text_body(text: str, *, is_text: bool) -> tuple[bytes, str]:
    """JSON is JSON, anything else is text; with `is_text` all of it is text."""
    body = text.encode()
    if not is_text:
        try:
            msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            return body, JSON
    return body, TEXT
