"""How long a client waits before it tries again."""

from wirehop.client.backoff import FIRST_DELAY, LONGEST_DELAY, STABLE_SECONDS, Backoff


def test_the_cap_doubles_up_to_half_a_minute() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.next() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_delay_is_drawn_between_half_a_second_and_the_cap() -> None:
    assert Backoff(lambda: 0.0).next() == FIRST_DELAY
    late = Backoff(lambda: 0.5)
    delays = [late.next() for _ in range(9)]
    assert delays == sorted(delays)
    assert delays[-1] == FIRST_DELAY + (LONGEST_DELAY - FIRST_DELAY) / 2


def test_only_a_connection_that_lasted_begins_anew() -> None:
    backoff = Backoff(lambda: 1.0)
    backoff.next()
    backoff.lasted(STABLE_SECONDS - 0.1)
    assert backoff.next() == 2
    backoff.lasted(STABLE_SECONDS)
    assert backoff.next() == 1


def test_a_network_that_blinks_does_not_make_the_waits_grow() -> None:
    backoff = Backoff(lambda: 1.0)
    for _ in range(9):
        assert max(backoff.next() for _ in range(2)) <= 8
        backoff.lasted(STABLE_SECONDS / 2)
    assert backoff.next() == 4
