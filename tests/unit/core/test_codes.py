"""The table of codes: numbers stand once, and a client can decide from the number alone."""

import pytest

from wirehop.core import codes
from wirehop.core.codes import TABLE, Code, Kind, Retry, find, may_reconnect


def test_every_number_and_every_name_stands_once_in_the_table() -> None:
    assert len({code.number for code in TABLE}) == len(TABLE)
    assert len({code.name for code in TABLE}) == len(TABLE)


def test_the_table_holds_every_code_of_the_module() -> None:
    named = [value for value in vars(codes).values() if isinstance(value, Code)]
    assert list(TABLE) == named
    assert len(TABLE) > 30


@pytest.mark.parametrize("code", TABLE, ids=lambda code: code.name)
def test_a_code_stands_in_the_range_of_its_kind(code: Code) -> None:
    ranges = {Kind.ERROR: range(100, 200), Kind.UNSUBSCRIBE: range(2000, 3000), Kind.DISCONNECT: range(3000, 4000)}
    assert code.number in ranges[code.kind]


@pytest.mark.parametrize("code", [code for code in TABLE if code.kind is Kind.DISCONNECT], ids=lambda code: code.name)
def test_the_range_of_a_disconnect_says_whether_to_reconnect(code: Code) -> None:
    assert may_reconnect(code.number) is (code.retry is Retry.RECONNECT)
    assert code.retry is not Retry.TEMPORARY


@pytest.mark.parametrize("code", [code for code in TABLE if code.kind is Kind.UNSUBSCRIBE], ids=lambda code: code.name)
def test_unsubscribe_codes_from_2500_on_mean_subscribe_again(code: Code) -> None:
    assert (code.number >= 2500) is (code.retry is Retry.RECONNECT)


def test_only_errors_are_temporary_and_none_asks_to_reconnect() -> None:
    assert {code.number for code in TABLE if code.retry is Retry.TEMPORARY} == {100, 111}
    assert all(code.retry is not Retry.RECONNECT for code in TABLE if code.kind is Kind.ERROR)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        *((number, True) for number in (1000, 1006, 2999, 3000, 3499, 4000, 4499, 5000)),
        *((number, False) for number in (3500, 3999, 4500, 4999)),
    ],
)
def test_the_ranges_at_their_edges(number: int, *, expected: bool) -> None:
    assert may_reconnect(number) is expected


def test_a_code_is_found_by_its_number_and_an_unknown_number_is_none() -> None:
    assert find(3008) is codes.SLOW
    assert find(4001) is None


def test_no_text_reads_as_json_or_is_empty() -> None:
    """It becomes the reason of a WebSocket close, which SDKs misread where it is empty or valid JSON."""
    for code in TABLE:
        assert code.text
        assert code.text[0].isalpha()
        assert code.text not in ("true", "false", "null")
        assert len(code.text.encode()) <= 123
