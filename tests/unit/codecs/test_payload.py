"""Payloads at the entrance, and as each wire shows them."""

import contextlib
import json
import sys
from base64 import b64encode

import pytest
from msgspec import Raw

from wirehop.codecs.payload import (
    as_json,
    as_text,
    checked_event,
    json_payload,
    json_tags,
    payload_of,
    published_payload,
    text_payload,
)
from wirehop.core.errors import PayloadError
from wirehop.core.messages import PayloadKind, Publication


@pytest.mark.parametrize(
    "data",
    [b"1", b"-0.5e3", b'"a"', b"null", b"[]", b'{"b": 1,  "a":[ 2 ]}', '"é😀"'.encode(), b'"\\u00e9\\n"', b"1.10"],
)
def test_json_is_taken_as_it_stands_byte_for_byte(data: bytes) -> None:
    assert json_payload(data) == data
    assert json_payload(memoryview(data)) == data


@pytest.mark.parametrize(
    "data",
    [b'{"a":\n1}', b'{\r\n"a": 1}', b'{"a"\r: 1}', b'[1,\n\n2,"\\n"]', b"\n1\n", b"1\r\n", b'{"a":1}\n{"b":2}'[:8]],
)
def test_json_with_line_breaks_is_compacted_to_the_same_value_on_one_line(data: bytes) -> None:
    payload = json_payload(data)
    assert b"\n" not in payload
    assert b"\r" not in payload
    assert json.loads(payload) == json.loads(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"tru",
        b"01",
        b"1 2",
        b"{'a':1}",
        b'{"a":1,}',
        b"NaN",
        b'"\n"',
        b'"\r"',
        b'"\x00"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",
        b'1}\n{"push":{}}',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"[\n" * 5_000 + b"]" * 5_000,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_not_one_json_value_in_utf_8_is_refused_with_107(data: bytes) -> None:
    with pytest.raises(PayloadError) as caught:
        json_payload(data)
    assert caught.value.code.number == 107


def test_no_depth_of_nesting_raises_anything_else() -> None:
    for depth in range(sys.getrecursionlimit() - 300, sys.getrecursionlimit() + 100, 3):
        for check in (json_payload, lambda data: published_payload(Raw(data), PayloadKind.JSON)):
            with contextlib.suppress(PayloadError):
                check(b"[" * depth + b"\n" + b"]" * depth)


# ---- publish commands
# ----------------------------------------------------------------------------------------------------


def test_a_published_json_value_is_itself() -> None:
    assert published_payload(Raw(b'{"a": 1}'), PayloadKind.JSON) == b'{"a": 1}'
    assert published_payload(Raw(b'{"a":\r1}'), PayloadKind.JSON) == b'{"a":1}'


def test_a_published_text_is_a_json_string() -> None:
    assert published_payload(Raw(b'"a\\n\\u00e9"'), PayloadKind.TEXT) == "a\né".encode()


def test_published_bytes_are_a_json_string_in_base64() -> None:
    assert published_payload(Raw(b'"AAH/"'), PayloadKind.BINARY) == b"\x00\x01\xff"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", PayloadKind.JSON),
        (b"", PayloadKind.TEXT),
        (b"1", PayloadKind.TEXT),
        (b"1", PayloadKind.BINARY),
        (b'"A"', PayloadKind.BINARY),
        (b'"A===A"', PayloadKind.BINARY),
        (b'"AA\\nA="', PayloadKind.BINARY),
        ('"é"'.encode(), PayloadKind.BINARY),
    ],
)
def test_what_does_not_stand_for_its_kind_is_refused(data: bytes, kind: PayloadKind) -> None:
    with pytest.raises(PayloadError):
        published_payload(Raw(data), kind)


# ---- other entrances
# -------------------------------------------------------------------------------------------------------


def test_text_is_utf_8() -> None:
    assert text_payload("é\n".encode()) == "é\n".encode()
    with pytest.raises(PayloadError):
        text_payload(b"\xff")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x00", (b"\x00", PayloadKind.BINARY)),
        (bytearray(b"a"), (b"a", PayloadKind.BINARY)),
        (memoryview(b"a"), (b"a", PayloadKind.BINARY)),
        (Raw(b'{"a":\n1}'), (b'{"a":1}', PayloadKind.JSON)),
        ("a\n", (b'"a\\n"', PayloadKind.JSON)),
        ({"a": [1, None]}, (b'{"a":[1,null]}', PayloadKind.JSON)),
    ],
    ids=repr,
)
def test_what_an_application_publishes(value: object, expected: tuple[bytes, PayloadKind]) -> None:
    assert payload_of(value) == expected


@pytest.mark.parametrize("value", [object(), {1: object()}, "\ud800", Raw(b"{"), Raw(b"")], ids=repr)
def test_what_cannot_be_json_is_refused(value: object) -> None:
    with pytest.raises(PayloadError):
        payload_of(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(PayloadError):
        payload_of(value)


@pytest.mark.parametrize("inner", [b'1}\n{"push":{}}', b"[\n1]", b"[\r1]", b"1}", b""], ids=repr)
def test_raw_json_inside_of_a_value_cannot_forge_a_line(inner: bytes) -> None:
    """msgspec copies a Raw into what it encodes without looking at it."""
    try:
        payload, _ = payload_of({"a": Raw(inner)})
    except PayloadError:
        return
    assert b"\n" not in payload
    assert b"\r" not in payload
    json.loads(payload)


@pytest.mark.parametrize("name", ["a", "A-Z_0.9", "x" * 64, "messages"])
def test_an_event_name_that_event_streams_can_carry(name: str) -> None:
    assert checked_event(name) == name


@pytest.mark.parametrize(
    "name", ["", "x" * 65, "a b", "a\n", "\n", "é", "reset", "open", "error", "message", "a:b", "a\0"]
)
def test_other_event_names_are_refused(name: str) -> None:
    with pytest.raises(PayloadError):
        checked_event(name)


# ---- on the wires
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "json_value", "text"),
    [
        (PayloadKind.JSON, b'{"a": 1.0}', b'{"a": 1.0}', b'{"a": 1.0}'),
        (PayloadKind.TEXT, 'a\n"é'.encode(), b'"a\\n\\"\xc3\xa9"', 'a\n"é'.encode()),
        (PayloadKind.BINARY, b"\x00\n\xff", b'"' + b64encode(b"\x00\n\xff") + b'"', b64encode(b"\x00\n\xff")),
    ],
)
def test_each_kind_as_json_and_as_text(kind: PayloadKind, data: bytes, json_value: bytes, text: bytes) -> None:
    publication = Publication(data, kind)
    assert as_json(publication) == json_value
    assert as_text(publication) == text


def test_only_bytes_carry_the_encoding_tag_and_other_tags_stay() -> None:
    tags = {"event": "e"}
    assert json_tags(Publication(b"", PayloadKind.BINARY, tags=tags)) == {"event": "e", "wh-encoding": "base64"}
    assert json_tags(Publication(b"", PayloadKind.BINARY)) == {"wh-encoding": "base64"}
    assert json_tags(Publication(b"", PayloadKind.TEXT, tags=tags)) == tags
    assert json_tags(Publication(b"", PayloadKind.JSON)) is None
    assert tags == {"event": "e"}
