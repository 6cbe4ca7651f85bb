"""Tickets: how often, how long, for what, and whose is pushed out."""

import pytest

from wirehop.auth.tickets import Tickets, TicketUse
from wirehop.auth.tokens import ConnectionToken
from wirehop.testing.clock import CountingIds, ManualClock

NOW = 1_700_000_000.0
ADA = ConnectionToken("ada")


def tickets(clock: ManualClock | None = None, **bounds: int) -> Tickets:
    return Tickets(clock or ManualClock(), CountingIds(), age=30, stream_age=3600, **bounds)


@pytest.mark.parametrize(("use", "times"), [("stream", 3), ("websocket", 1), ("jsonp", 1)])
def test_how_often(use: TicketUse, times: int) -> None:
    given = tickets()
    text, _ = given.issue(use, ADA, frozenset({"a"}))
    for other in {"stream", "websocket", "jsonp"} - {use}:
        assert given.redeem(text, other) is None  # type: ignore[arg-type]
    assert [given.redeem(text, use) is not None for _ in range(3)] == [n < times for n in range(3)]


@pytest.mark.parametrize(
    ("use", "token_left", "seconds"),
    [("stream", 0, 3600), ("stream", 600, 600), ("websocket", 600, 30), ("jsonp", 5, 5)],
)
def test_how_long(use: TicketUse, token_left: float, seconds: float) -> None:
    for wait, is_good in ((seconds - 1, True), (seconds, False)):
        clock = ManualClock()
        given = tickets(clock)
        token = ConnectionToken("ada", expires_at=NOW + token_left if token_left else 0)
        text, age = given.issue(use, token, frozenset())
        assert age == seconds
        clock.advance(wait)
        assert (given.redeem(text, use) is not None) is is_good


def test_a_stream_ticket_reads_in_its_channels() -> None:
    given = tickets()
    ticket = given.redeem(given.issue("stream", ADA, frozenset({"a"}))[0], "stream")
    assert ticket is not None
    assert ticket.allows("subscribe", "a")
    assert ticket.allows("history", "a")
    assert not ticket.allows("publish", "a")
    assert not ticket.allows("subscribe", "b")
    assert not ticket.may_command
    socket = given.redeem(given.issue("websocket", ADA, frozenset())[0], "websocket")
    assert socket is not None
    assert socket.allows("publish", "b")
    assert socket.may_command


def test_only_hashes_are_kept() -> None:
    given = tickets()
    text, _ = given.issue("stream", ADA, frozenset({"a"}))
    assert text not in repr(given._tickets)


def test_more_than_may_wait_push_out_the_oldest() -> None:
    given = tickets(most=4, per_user=2)
    first = [given.issue("stream", ConnectionToken(user), frozenset())[0] for user in ("ada", "ada", "bob", "cy")]
    third = given.issue("stream", ADA, frozenset())[0]
    assert [given.redeem(text, "stream") is not None for text in (*first, third)] == [False, True, True, True, True]
    given.issue("stream", ConnectionToken("dan"), frozenset())
    assert given.redeem(first[1], "stream") is None
    assert given.dropped == 2
    assert len(given) == 4
    for _ in range(10):
        given.redeem(given.issue("websocket", ConnectionToken("dan"), frozenset())[0], "websocket")
    assert len(given) == 3
