"""Commands that run once, and what a repetition gets."""

from msgspec import Raw

from wirehop.core.messages import Reply, RpcResult
from wirehop.core.once import OnceOnly, unknown


def reply(number: int) -> Reply:
    return Reply(id=number, rpc=RpcResult(Raw(b"%d" % number)))


def test_a_repetition_gets_the_kept_reply() -> None:
    once = OnceOnly(max_bytes=100)
    once.begin(1)
    assert once.repeated(1) is None
    assert once.running() == [1]
    once.answered(1, reply(1), 40)
    assert once.repeated(1) == reply(1)
    assert once.repeated(1) == reply(1)
    assert once.running() == []


def test_what_is_not_known_is_120_and_never_runs_again() -> None:
    once = OnceOnly(max_bytes=100)
    assert once.repeated(7) == unknown(7)
    error = unknown(7).error
    assert error is not None
    assert error.code == 120


def test_an_acknowledged_reply_is_let_go_and_its_bytes_with_it() -> None:
    once = OnceOnly(max_bytes=100)
    for number in (1, 2, 3, 4):
        once.begin(number)
        once.answered(number, reply(number), 20)
    once.acknowledge((1, 3))
    assert once.bytes == 40
    assert [once.repeated(number) for number in (1, 2, 3, 4)] == [unknown(1), reply(2), unknown(3), reply(4)]
    once.acknowledge(())
    assert len(once) == 2


def test_what_runs_is_not_let_go() -> None:
    once = OnceOnly(max_bytes=100)
    once.begin(1)
    once.acknowledge((5,))
    assert once.repeated(1) is None
    once.answered(1, reply(1), 20)
    assert once.repeated(1) == reply(1)


def test_a_reply_that_does_not_fit_is_kept_as_120() -> None:
    once = OnceOnly(max_bytes=100)
    for number in (1, 2):
        once.begin(number)
        once.answered(number, reply(number), 60)
    assert once.repeated(1) == reply(1)
    assert once.repeated(2) == unknown(2)
    assert once.bytes == 60
    once.acknowledge((2,))
    assert (len(once), once.bytes) == (0, 0)


def test_an_answer_to_nothing_changes_nothing() -> None:
    once = OnceOnly(max_bytes=100)
    once.answered(1, reply(1), 20)
    assert (len(once), once.bytes) == (0, 0)
