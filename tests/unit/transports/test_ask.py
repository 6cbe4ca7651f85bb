"""What is asked of a channel URL, read from the request."""

import pytest

from wirehop.abc import Request
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Position
from wirehop.transports.channels.ask import etag, names, read_ask, write_cursor


def ask(query: str = "", channels: tuple[str, ...] = ("a",), **headers: str):  # type: ignore[no-untyped-def]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_ask(Request("GET", "/channels/a", query, named), channels)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("25s", 25.0), ("25", 25.0), ("500ms", 0.5), ("1.5s", 1.5), ("2m", 120.0), ("0.001", 0.001)],
)
def test_waits(text: str, seconds: float) -> None:
    assert ask(f"wait={text}").wait == seconds


def test_no_wait_is_none_and_so_is_an_empty_one() -> None:
    assert ask().wait is None
    assert ask("wait=").wait is None


@pytest.mark.parametrize("text", ["x", "-1s", "1h", "1e9", "9999999", "1,5s", "%20", "1s2s", "inf", "١"])
def test_waits_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadMessage, match="wait reads like"):
        ask(f"wait={text}")


def test_last_event_id_wins_over_the_cursor() -> None:
    assert ask("cursor=e:1", last_event_id="e:2").positions == {"a": Position("e", 2)}
    assert ask("cursor=e:1").positions == {"a": Position("e", 1)}
    assert ask("cursor=e:1", last_event_id="").positions == {"a": Position("e", 1)}


def test_a_cursor_that_is_none_is_still_recovered_from_so_that_the_answer_says_false() -> None:
    subscribe = ask("cursor=nonsense").subscribe(0).subscribe
    assert (subscribe.recover, subscribe.epoch, subscribe.offset) == (True, "", 0)
    assert not ask().subscribe(0).subscribe.recover


def test_a_cursor_of_several_channels_says_nothing_of_one_that_it_lacks() -> None:
    cursor = write_cursor(("a", "b"), {"a": Position("e", 1), "b": Position("f", 2)})
    asked = ask(f"cursor={cursor}", ("a", "c"))
    assert asked.positions == {"a": Position("e", 1)}
    assert asked.subscribe(0).subscribe.recover
    assert not asked.subscribe(1).subscribe.recover


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer x", "x"), ("bearer  x.y-z ", "x.y-z"), ("Basic x", ""), ("Bearer", ""), ("", ""), ("BearerX", "")],
)
def test_bearer_tokens(header: str, token: str) -> None:
    assert ask(authorization=header).token == token


def test_one_to_sixteen_different_channels() -> None:
    assert len(ask(channels=tuple(f"c{n}" for n in range(16))).channels) == 16
    for channels in ((), tuple(f"c{n}" for n in range(17)), ("a", "a")):
        with pytest.raises(BadMessage):
            ask(channels=channels)


@pytest.mark.parametrize("query", ["format=xml", "limit=x", "limit=-1", "limit=1.0", "limit=9999999", "limit=²"])
def test_other_nonsense_is_refused(query: str) -> None:
    with pytest.raises(BadMessage):
        ask(query)


@pytest.mark.parametrize(
    ("header", "is_named"),
    [
        ('"e:1"', True),
        ('W/"e:1"', True),
        ('"x", "e:1"', True),
        ('W/"x" ,W/"e:1"', True),
        ("*", True),
        ("", False),
        ('"e:2"', False),
        ("e:1", False),
        ('"e:1', False),
    ],
)
def test_if_none_match_is_compared_weakly(header: str, is_named: bool) -> None:
    assert names(header, etag("e:1")) is is_named


def test_an_entity_tag_is_one_whatever_the_cursor_holds() -> None:
    assert etag('a"b\r\nc:1') == '"a%22b%0D%0Ac:1"'
