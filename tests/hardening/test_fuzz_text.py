"""Event streams, cursors, commands in JSON and Protobuf, polls: any bytes are read or refused by their one error."""

import asyncio
import re
from base64 import urlsafe_b64encode

import fuzzing
import jwt
import msgspec
from fuzzing import CUTS, JSON, attempt, cut, damaged, single
from hypothesis import example, given
from hypothesis import strategies as st

from wirehop.auth.tokens import BadToken, Tokens
from wirehop.client.polling import Polling
from wirehop.client.wire import read_replies
from wirehop.codecs import protobuf
from wirehop.codecs.cursor import decode_position, decode_positions, encode_position, encode_positions
from wirehop.codecs.event_stream import Event, EventStreamDecoder, EventStreamError, encode_event
from wirehop.codecs.json_lines import JsonLines, encode_command
from wirehop.codecs.payload import json_payload
from wirehop.core.errors import BadMessage, PayloadError, WirehopError
from wirehop.core.messages import Command, Position
from wirehop.node.clock import SystemClock
from wirehop.settings.tree import Auth

# ---- event streams ---------------------------------------------------------------------------------------------------

LINES = st.sampled_from([b"data: x", b"data:x", b"data", b"data:  y", b"id: 7", b"id: \0", b"id", b"event: e", b"event",
                         b"retry: 10", b"retry: x", b": c", b"", b"", b"\xef\xbb\xbfdata: z", b"data: \xc3",
                         b"other: 1"])  # fmt: skip
TEXTS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=12).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


def decoded(pieces: list[bytes], *, max_size: int = 1_048_576) -> tuple[list[Event], str, int | None, int]:
    decoder = EventStreamDecoder(max_size=max_size)
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events, decoder.last_id, decoder.retry, decoder.comments


def by_the_standard(data: bytes) -> list[Event]:
    """Section 9.2.6 of the HTML standard, word by word."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    lines = re.split("\r\n|\r|\n", text)[:-1]
    events, data_buffer, kind, last, found = [], "", "", "", False
    for line in lines:
        if not line:
            if found:
                events.append(Event(data_buffer.removesuffix("\n"), kind or "message", last))
            data_buffer, kind, found = "", "", False
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data_buffer, found = data_buffer + value + "\n", True
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            last = value
    return events


@fuzzing.examples(500)
@given(damaged(TEXTS) | st.binary(max_size=60), CUTS)
@example(b"data: a\r\n\r\ndata: b\r\r", [9, 10])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
def test_any_pieces_of_an_event_stream_are_the_same_events(data: bytes, cuts: list[int]) -> None:
    whole = decoded([data])
    assert whole[0] == by_the_standard(data)
    assert decoded(cut(data, cuts)) == whole
    assert decoded(single(data)) == whole


@fuzzing.examples(200)
@given(st.binary(max_size=4000), st.integers(1, 50), CUTS)
def test_an_event_stream_decoder_keeps_no_more_than_it_may(data: bytes, limit: int, cuts: list[int]) -> None:
    decoder = EventStreamDecoder(max_size=limit)
    for piece in cut(data, cuts):
        found = attempt(decoder.feed, piece, EventStreamError)
        if isinstance(found, EventStreamError):
            assert found.limit == limit
            return
        assert len(decoder._rest) <= 4 * limit
        assert sum(map(len, decoder._data)) + len(decoder._data) <= limit + 1


@fuzzing.examples(200)
@given(st.text(max_size=60), st.sampled_from(["", "e", "a.b-c"]), st.sampled_from([None, "", "x:1"]))
def test_events_are_read_as_they_were_written(text: str, event: str, name: str | None) -> None:
    (found,), last, *_ = decoded([encode_event(text.encode(), event=event, id=name)])
    assert found.data == re.sub("\r\n|\r", "\n", text)
    assert (found.event, last) == (event or "message", name or "")


# ---- cursors ---------------------------------------------------------------------------------------------------------

POSITIONS = st.builds(Position, st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=12),
                      st.integers(0, 10**17))  # fmt: skip
SEVERAL = st.dictionaries(st.text(max_size=9), POSITIONS, max_size=4)
CURSORS = (
    st.text(max_size=60)
    | POSITIONS.map(encode_position)
    | damaged(SEVERAL.map(lambda each: encode_positions(each).encode())).map(lambda data: data.decode("latin-1"))
    | JSON.map(lambda value: urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("="))
)  # fmt: skip


@fuzzing.examples(500)
@given(CURSORS)
def test_any_text_is_a_cursor_or_none(text: str) -> None:
    position = decode_position(text)
    assert position is None or 0 <= position.offset < 10**18
    for each in decode_positions(text).values():
        assert each.offset >= 0


@fuzzing.examples(200)
@given(POSITIONS, SEVERAL)
def test_cursors_are_read_as_they_were_written(one: Position, many: dict[str, Position]) -> None:
    assert decode_position(encode_position(one)) == one
    assert decode_positions(encode_positions(many)) == many


# ---- commands --------------------------------------------------------------------------------------------------------

KINDS = ("connect", "subscribe", "unsubscribe", "publish", "presence", "presence_stats", "history", "ping", "send",
         "rpc", "refresh", "sub_refresh", "wh")  # fmt: skip
FIELDS = ("channel", "data", "token", "recover", "epoch", "offset", "limit", "since", "reverse", "method", "wh", "subs",
          "key", "acked", "attach", "positions", "flag", "client")  # fmt: skip
VALUES = JSON | st.sampled_from(["a", 1, True, {}, [], {"epoch": "e", "offset": 3}])
COMMANDS = st.builds(
    lambda number, kind, request, more: {"id": number, kind: request, **more},
    st.integers(-1, 2**33) | st.just(1),
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4) | VALUES,
    st.dictionaries(st.sampled_from(KINDS), VALUES, max_size=1),
)
MESSAGES = st.lists(COMMANDS.map(msgspec.json.encode), max_size=3).map(b"\n".join)


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@fuzzing.examples(500)
@given((damaged(MESSAGES) | st.binary(max_size=40)).filter(is_text))
@example(b"[" * 100_000)
@example(b'{"id":1,"rpc":{"method":"m","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}}")
def test_any_text_is_commands_or_a_bad_message(data: bytes) -> None:
    codec = JsonLines()
    for read in (codec.decode_commands, codec.decode_array):
        found = attempt(read, data, BadMessage)
        for command in [] if isinstance(found, BadMessage) else found:
            assert isinstance(command, Command)
            assert codec.decode_commands(encode_command(command)) == [command]


@fuzzing.examples(300)
@given(damaged(JSON.map(msgspec.json.encode)) | st.binary(max_size=40))
def test_a_payload_is_one_line_of_json_or_refused(data: bytes) -> None:
    try:
        payload = json_payload(data)
    except PayloadError:
        return
    assert b"\n" not in payload
    assert b"\r" not in payload
    assert msgspec.json.decode(payload) == msgspec.json.decode(data)


def good_commands(data: bytes) -> list[Command]:
    try:
        return JsonLines().decode_commands(data)
    except BadMessage:
        return []


PROTOBUF = MESSAGES.map(lambda data: b"".join(map(protobuf.encode_command, good_commands(data))))


@fuzzing.examples(500)
@given(damaged(PROTOBUF) | st.binary(max_size=80))
@example(b"\xff" * 10)
@example(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")
@example(b"\xff\xff\xff\xff\x0f")
@example(b"\x05\x0b" * 50)
def test_any_bytes_are_protobuf_or_a_bad_message(data: bytes) -> None:
    readers = (protobuf.Protobuf().decode_commands, protobuf.decode_replies, protobuf.decode_emulated)
    for read in readers:
        attempt(read, data, BadMessage)


@fuzzing.examples(300)
@given(MESSAGES)
def test_commands_come_through_protobuf_as_they_are(data: bytes) -> None:
    codec = protobuf.Protobuf()
    for command in good_commands(data):
        encoded = protobuf.encode_command(command)
        (found,) = codec.decode_commands(encoded)
        assert protobuf.encode_command(found) == encoded, "what was read is written the same"
        assert found.id == command.id


@fuzzing.examples(300)
@given(damaged(st.sampled_from([
    b'{"session":"s","poll":1,"batch":1,"replies":[{"id":4294967295,"connect":{"client":"c","version":"1"}}]}',
    b'{"session":"s","poll":1,"replies":[]}',
    b'{"error":{"code":102,"message":"x"}}',
])) | st.binary(max_size=40))  # fmt: skip
def test_any_answer_to_a_poll_is_replies_or_a_bad_message(data: bytes) -> None:
    for read in (Polling(nonce="n", wait=1.0).answered, read_replies):
        attempt(read, data, WirehopError)


# ---- tokens ----------------------------------------------------------------------------------------------------------

SECRET = "a secret of thirty-two bytes, or more"
TOKENS = Tokens(Auth(secrets=(SECRET,), require_expiry=False), SystemClock())
CLAIMS = st.dictionaries(
    st.sampled_from(["sub", "exp", "iat", "nbf", "jti", "aud", "iss", "info", "channels", "subs", "caps", "channel",
                     "data", "allow", "since", "expire_at"]),
    JSON | st.integers(0, 2**40) | st.lists(st.text(max_size=4), max_size=3) | st.sampled_from(
        ["a", 1e300, {"a": {"allow": ["sub"]}}, [{"channels": ["*"], "match": "wildcard", "allow": ["pub"]}]]),
    max_size=5,
)  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(["alg", "typ", "kid", "crit", "b64"]), JSON | st.sampled_from(["HS256", "none"]), max_size=3
)


def encoded(value: object) -> str:
    return urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def refused_or(token: str) -> object:
    """What the token says, by both doors."""
    found: object = None
    for door in (TOKENS.connection(token), TOKENS.subscription(token, "a", "u")):
        said = attempt(asyncio.run, door, BadToken)
        found = found if isinstance(said, BadToken) else said
    return found


@fuzzing.examples(150)
@given(
    st.text(max_size=80) | st.tuples(HEADERS, CLAIMS).map(lambda both: f"{encoded(both[0])}.{encoded(both[1])}.AAAA")
)
@example("..")
@example("a.b.c")
@example("é.é.é")
def test_no_text_that_nobody_signed_is_a_token(token: str) -> None:
    assert refused_or(token) is None


@fuzzing.examples(200)
@given(CLAIMS)
def test_signed_claims_of_any_kind_are_read_or_refused(claims: dict[str, object]) -> None:
    signed = jwt.api_jws.encode(msgspec.json.encode(claims), SECRET, algorithm="HS256")
    refused_or(signed)


@fuzzing.examples(150)
@given(damaged(st.just(jwt.encode({"sub": "u"}, SECRET, algorithm="HS256").encode())))
def test_a_token_that_was_touched_is_none(data: bytes) -> None:
    good = jwt.encode({"sub": "u"}, SECRET, algorithm="HS256")
    text = data.decode("latin-1")
    if text.rstrip("=") != good and text[:-1] != good[:-1]:  # the last character holds bits that mean nothing
        assert refused_or(text) is None
