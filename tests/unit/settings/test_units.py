"""Durations and sizes as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirehop.settings.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("2d", 172_800.0),
        ("7", 7.0),
        ("1.5", 1.5),
        ("1.5h", 5400.0),
        ("5ms", 0.005),
        (" 10 s ", 10.0),
        ("0", 0.0),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512", 512),
        ("64KiB", 65_536),
        ("1MiB", 1_048_576),
        ("10kB", 10_000),
        ("1.5KiB", 1536),
        ("1gib", 1024**3),
        ("7B", 7),
        ("2TB", 2 * 10**12),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 s s", "1e3", "inf", "nan", "5 parsecs", "1M", "٣s", "9" * 40])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "KiB", "-1", "0.3", "1.0001KiB", "1 parsec", "1s", "1" * 40])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.5, "500ms"),
        (30.0, "30s"),
        (90.0, "90s"),
        (300.0, "5m"),
        (5400.0, "90m"),
        (3600.0, "1h"),
        (86_400.0, "1d"),
        (0.0005, "0.0005s"),
    ],
)
def test_a_duration_is_written_in_the_largest_unit_that_is_whole(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (255, "255"),
        (1000, "1kB"),
        (10_000, "10kB"),
        (65_536, "64KiB"),
        (1_048_576, "1MiB"),
        (1001, "1001"),
    ],
)
def test_a_size_is_written_in_the_shortest_exact_way(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.floats(min_value=1e-6, max_value=1e12) | st.integers(0, 10**9).map(float))
def test_a_written_duration_reads_back_exactly(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, 10**15) | st.integers(0, 10**6).map(lambda n: n * 1024))
def test_a_written_size_reads_back_exactly(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_what_is_no_duration_is_not_written(seconds: float) -> None:
    with pytest.raises(ValueError):
        format_duration(seconds)


def test_a_negative_size_is_not_written() -> None:
    with pytest.raises(ValueError):
        format_size(-1)
