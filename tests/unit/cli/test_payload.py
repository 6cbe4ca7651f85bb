"""What `wirehop publish` makes of its arguments."""

from pathlib import Path

import click
import pytest

from wirehop.cli.payload import BINARY, JSON, TEXT, bodies, text_body


@pytest.mark.parametrize(
    ("given", "is_text", "body", "kind"),
    [
        ('{"a": 1}', False, b'{"a": 1}', JSON),
        ("12", False, b"12", JSON),
        ("12", True, b"12", TEXT),
        ("hello there", False, b"hello there", TEXT),
        ("{not json", False, b"{not json", TEXT),
        ("", False, b"", TEXT),
        ("[" * 100_000, False, b"[" * 100_000, TEXT),
    ],
)
def test_json_is_json_and_all_else_is_text(given: str, is_text: bool, body: bytes, kind: str) -> None:
    assert text_body(given, is_text=is_text) == (body, kind)


def test_a_file_is_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(b"\x00\xff")
    assert list(bodies(None, is_text=False, binary=file, by_line=False)) == [(b"\x00\xff", BINARY)]


@pytest.mark.parametrize(
    ("data", "binary", "by_line"), [(None, None, False), ("x", Path("f"), False), ("x", None, True), (None, None, True)]
)
def test_what_contradicts_itself_is_a_usage_error(data: str | None, binary: Path | None, by_line: bool) -> None:
    with pytest.raises(click.UsageError):
        list(bodies(data, is_text=False, binary=binary, by_line=by_line))
