"""The values that travel. They hold no rules but these: what is not said is left out, and unknown fields are
ignored."""

import msgspec
import pytest

from wirehop.core.messages import (
    CONNECT_ID,
    FIRST_UNNUMBERED_ID,
    PING,
    Command,
    ConnectRequest,
    ConnectResult,
    PayloadKind,
    Publication,
    Reply,
    SubscribeRequest,
    Wh,
)


def test_a_ping_is_an_empty_object() -> None:
    assert msgspec.json.encode(PING) == b"{}"


def test_the_ids_outside_of_the_numbering_are_those_of_the_protocol() -> None:
    assert CONNECT_ID == 2**32 - 1
    assert FIRST_UNNUMBERED_ID == 4_000_000_000


def test_what_is_not_said_is_left_out() -> None:
    assert msgspec.json.encode(Command(1, subscribe=SubscribeRequest("a"))) == b'{"id":1,"subscribe":{"channel":"a"}}'
    assert msgspec.json.encode(Reply(id=1, connect=ConnectResult(client="c"))) == b'{"id":1,"connect":{"client":"c"}}'


@pytest.mark.parametrize("wh", [b'{"wh":{}}', b'{"wh":{"acked":[1,3]}}'])
def test_a_client_says_that_it_speaks_the_additions_with_wh(wh: bytes) -> None:
    assert isinstance(msgspec.json.decode(wh, type=ConnectRequest).wh, Wh)
    assert msgspec.json.decode(b"{}", type=ConnectRequest).wh is None


def test_unknown_fields_are_ignored() -> None:
    assert msgspec.json.decode(b'{"id":1,"ping":{"x":1},"delta":{}}', type=Command).id == 1


def test_values_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Publication(b"").offset = 1  # type: ignore[misc]


def test_a_publication_is_json_without_a_place_unless_said_otherwise() -> None:
    publication = Publication(b"1")
    assert (publication.kind, publication.offset, publication.info, publication.time) == (PayloadKind.JSON, 0, None, 0)


def test_mutable_defaults_are_not_shared() -> None:
    first, second = ConnectRequest(), ConnectRequest()
    first.subs["a"] = SubscribeRequest("a")
    first.headers["a"] = "b"
    assert second.subs == {}
    assert second.headers == {}
