"""The README's table of what servers lose."""

from typing import Any

from series import losses

ROW: dict[str, Any] = {
    "title": "Another",
    "version": "v1.2",
    "counts": {"lost": 1234, "doubled": 5, "out_of_order": 0},
    "published": 1000,
    "unknown": 3,
    "anew": 4,
    "longest_silence": 6.54,
}


def checked(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"date": "2026-01-02", "seconds": 30.0, "clients": 10, "rate": 50.0, "rows": rows}


def test_a_row_says_what_was_lost_of_how_much() -> None:
    assert losses.table(checked(ROW))[-1] == "| Another 1.2 | 1,234 of 10,000 | 5 | 0 | 3 | 4 | 6.5 s |"


def test_ours_stand_out_and_nothing_lost_is_a_zero() -> None:
    ours = {**ROW, "title": "wirehop, SDK", "counts": {**ROW["counts"], "lost": 0}}
    assert losses.table(checked(ours))[-1].startswith("| **wirehop, SDK** | 0 | 5 |")


def test_the_block_says_when_and_how_it_was_measured() -> None:
    text = losses.block(checked(ROW))
    assert "30 s long: 10 clients publish 50 numbers a second" in text
    assert "2026-01-02, `bench/check_peers`" in text
