"""The server's rules for signals: order, how many at a time, what is refused and what is dropped."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from wirehop.rtc.pure.room import Letter, Refusal, RoomLimits, Router

SMALL = RoomLimits(
    signal_bytes=10, burst=1000, rate=1.0, in_flight=2, in_flight_bytes=12, waiting=3, waiting_bytes=25, senders=2
)


def send(router: Router, text: str, *, to: str = "b", sender: str = "a", room: str = "r", now: float = 0.0) -> object:
    return router.send(room, sender, to, Raw(text.encode()), now)


def texts(letters: list[Letter]) -> list[str]:
    return [bytes(letter.signal).decode() for letter in letters]


def test_a_few_fly_and_the_rest_wait_for_an_answer() -> None:
    router = Router(SMALL)
    for text in "1234":
        assert send(router, text) is None
    first, second = router.take()
    assert texts([first, second]) == ["1", "2"]
    router.finished(second, "answered")
    assert texts(router.take()) == ["3"]
    router.finished(first, "unanswered")
    assert texts(router.take()) == ["4"]
    assert router.counts == {"sent": 4, "answered": 1, "unanswered": 1}


def test_a_large_one_flies_alone() -> None:
    router = Router(SMALL)
    for text in ("x" * 9, "y" * 9, "z"):
        assert send(router, text) is None
    (large,) = router.take()
    router.finished(large, "answered")
    assert texts(router.take()) == ["y" * 9, "z"]


def test_what_is_too_large_or_too_much_is_refused_and_counted() -> None:
    router = Router(SMALL)
    assert send(router, "x" * 11) is Refusal.TOO_LARGE
    for _ in range(2 + 3):
        assert send(router, "1") is None
    assert send(router, "1") is Refusal.FULL
    assert send(router, "1", to="c") is None  # the others are not concerned
    for text in ("x" * 10,) * 4:
        send(router, text, to="d")
    assert send(router, "x" * 10, to="d") is Refusal.FULL  # by bytes
    assert router.counts["too_large"] == 1
    assert router.counts["full"] == 3


def test_a_sender_has_a_rate() -> None:
    router = Router(RoomLimits(burst=2, rate=0.5))
    assert [send(router, "1", now=now) for now in (0, 0, 0, 1, 2, 2)] == [
        None, None, Refusal.TOO_MANY, Refusal.TOO_MANY, None, Refusal.TOO_MANY,
    ]  # fmt: skip


def test_senders_are_forgotten_when_they_were_silent() -> None:
    router = Router(RoomLimits(burst=1, rate=1.0, senders=2))
    for number in range(100):
        send(router, "1", sender=str(number), to=str(number), now=number)
        assert router.senders <= 3
    for number in range(100):
        send(router, "1", sender=str(number), to=str(number), now=1000.0)
        assert router.senders <= 2


def test_who_leaves_a_room_gets_nothing_more_of_it() -> None:
    router = Router(SMALL)
    for text, room in (("1", "r"), ("2", "s"), ("3", "r"), ("4", "s")):
        send(router, text, room=room)
    flying = router.take()
    assert texts(router.left("r", "b")) == ["1"]
    assert texts(router.take()) == ["4"]
    router.finished(flying[0], "failed")  # its call was given up
    assert router.counts == {"sent": 4, "left": 2}
    assert router.left("r", "nobody") == []
    assert texts(router.left("s", "b")) == ["2", "4"]
    assert router.waiting == 0


steps = st.lists(
    st.tuples(st.sampled_from(["send", "send", "send", "finished", "left"]), st.integers(0, 99), st.sampled_from("bc")),
    max_size=60,
)


@given(steps)
def test_signals_are_in_order_once_and_all_accounted_for(given_: list[tuple[str, int, str]]) -> None:
    router = Router(SMALL)
    flying: list[Letter] = []
    seen: dict[str, list[int]] = {"b": [], "c": []}
    for what, pick, to in given_:
        match what:
            case "send":
                send(router, "x" * (1 + pick % 10), to=to, room="rs"[pick % 2])
            case "finished" if flying:
                router.finished(flying.pop(pick % len(flying)), "answered")
            case "left":
                for letter in router.left("rs"[pick % 2], to):
                    flying.remove(letter)
        for letter in router.take():
            flying.append(letter)
            seen[letter.to].append(letter.number)
        for who, numbers in seen.items():
            assert numbers == sorted(set(numbers))
            to_one = [letter for letter in flying if letter.to == who]
            assert len(to_one) <= SMALL.in_flight
            assert len(to_one) == 1 or sum(letter.size for letter in to_one) <= SMALL.in_flight_bytes
        counts = router.counts
        assert counts["sent"] == counts["answered"] + counts["left"] + router.waiting
    while flying:
        router.finished(flying.pop(), "answered")
        flying += router.take()
    assert router.waiting == 0
