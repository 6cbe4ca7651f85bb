"""The anatomy of a message: every byte has its part, and the parts are right."""

import pytest

from wirehop.checker.traffic import Recorded, Recording
from wirehop.lab.anatomy import Anatomy, Part, dissect, find

PAYLOAD = b'{"n":12,"at":1.5,"late":0.0,"pad":"xxx"}'
PUSH = b'{"push":{"channel":"lab-race:a-sse","pub":{"data":%b,"offset":13}}}'
OTHER = PUSH % PAYLOAD.replace(b'"n":12', b'"n":11')
NEEDLE = b'{"n":12,'


def kinds(data: bytes) -> list[tuple[str, bytes]]:
    """The parts with their bytes; together they are all of it."""
    position, found = 0, []
    for part in dissect(data, NEEDLE):
        found.append((part.kind, data[position : position + part.size]))
        position += part.size
    assert position == len(data)
    return found


def around(payload: bytes) -> list[tuple[str, bytes]]:
    before, _, behind = (PUSH % payload).partition(payload)
    return [("envelope", before), ("payload", payload), ("envelope", behind)]


def test_a_frame_of_a_websocket() -> None:
    message = PUSH % PAYLOAD
    head = b"\x81" + bytes([len(message)])
    assert len(message) < 126
    assert kinds(head + message) == [("frame", head), *around(PAYLOAD)]


def test_several_frames_and_long_ones() -> None:
    padded = PAYLOAD.replace(b"xxx", b"x" * 300)
    message = PUSH % padded
    first, head = b"\x81" + bytes([len(OTHER)]), b"\x81\x7e" + len(message).to_bytes(2, "big")
    huge = b"\x81\x7f" + (70_000).to_bytes(8, "big") + b"y" * 20
    assert kinds(first + OTHER + head + message + huge) == [
        ("frame", first), ("other", OTHER), ("frame", head), *around(padded), ("frame", huge[:10]),
        ("other", b"y" * 20),
    ]  # fmt: skip


def test_an_event_in_a_chunk() -> None:
    event = b"data: " + PUSH % PAYLOAD + b"\n\n"
    data = b"%x\r\n%b\r\n" % (len(event), event)
    before, payload, behind = around(PAYLOAD)
    assert kinds(data) == [
        ("frame", b"%x\r\n" % len(event)), ("frame", b"data: "), before, payload, behind, ("frame", b"\n"),
        ("frame", b"\n"), ("frame", b"\r\n"),
    ]  # fmt: skip


def test_a_line_of_a_stream_between_others() -> None:
    lines = OTHER + b"\n" + PUSH % PAYLOAD + b"\n" + OTHER + b"\n"
    found = kinds(b"%x\r\n%b\r\n" % (len(lines), lines))
    assert found[1:-1] == [("other", OTHER + b"\n"), *around(PAYLOAD), ("other", b"\n" + OTHER + b"\n")]


def test_the_answer_to_a_poll() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    assert kinds(head + PUSH % PAYLOAD) == [("http", head), *around(PAYLOAD)]


def test_what_is_not_understood_is_other() -> None:
    assert kinds(b"\x16\x03\x01\x00hello") == [("other", b"\x16\x03\x01\x00hello")]


def recording(*pieces: tuple[str, bytes]) -> Recording:
    kept = Recording()
    for number, (direction, data) in enumerate(pieces):
        kept.add(Recorded(float(number), 1, direction, data))  # type: ignore[arg-type]
    return kept


def found_in(kept: Recording) -> Anatomy:
    anatomy = find(kept, "sse", 12)
    assert anatomy is not None
    assert sum(part.size - part.skipped for part in anatomy.parts) == len(anatomy.data) // 2
    assert sum(part.size for part in anatomy.parts) == anatomy.bytes
    return anatomy


def test_it_is_found_with_what_was_asked() -> None:
    opening = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    event = b"data: " + PUSH % PAYLOAD + b"\n\n"
    asked = b"GET /connection/sse HTTP/1.1\r\nHost: a\r\n\r\n"
    kept = recording(("up", asked), ("down", opening), ("down", b"%x\r\n%b\r\n" % (len(event), event)))
    anatomy = found_in(kept)
    assert anatomy.request.startswith("GET /connection/sse")
    assert anatomy.opening.startswith("HTTP/1.1 200")
    assert [part.kind for part in anatomy.parts].count("payload") == 1


def test_one_that_came_in_pieces_is_put_together() -> None:
    event = b"data: " + PUSH % PAYLOAD + b"\n\n"
    data = b"%x\r\n%b\r\n" % (len(event), event)
    anatomy = found_in(recording(("down", data[:20]), ("down", data[20:])))
    assert bytes.fromhex(anatomy.data) == data
    assert anatomy.parts[0] == Part("frame", 4, f"size of a chunk: {len(event):,} bytes follow")


def test_of_other_messages_only_the_ends_are_shown() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    body = b"\n".join([*[OTHER] * 50, PUSH % PAYLOAD, *[OTHER] * 50])
    anatomy = found_in(recording(("down", head + body)))
    assert [part.kind for part in anatomy.parts] == ["http", "other", "envelope", "payload", "envelope", "other"]
    assert len(anatomy.data) // 2 < 600
    assert anatomy.bytes == len(head + body)
    data = bytes.fromhex(anatomy.data)
    assert PUSH % PAYLOAD in data
    assert data.endswith(OTHER[-50:])


@pytest.mark.parametrize("number", [1, 120])
def test_one_that_is_not_kept_is_not_found(number: int) -> None:
    assert find(recording(("down", b"\x81\x20" + PAYLOAD)), "websocket", number) is None
