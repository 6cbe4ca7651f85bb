"""What fuzzers share: how many examples, bytes in pieces, values that are almost right."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

times = 1
"""How many times the usual number of examples (`--fuzz`)."""


def examples(count: int) -> Callable[[Any], Any]:
    """So many examples of this property, times `--fuzz`; the same ones every time, unless there are more."""
    return settings(
        max_examples=count * times,
        deadline=None,
        derandomize=times == 1,
        database=None,
        print_blob=times > 1,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` in pieces, cut where `cuts` says (modulo its length); no piece is empty."""
    places = sorted({place % len(data) for place in cuts} - {0}) if data else []
    return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True) if data]


CUTS = st.lists(st.integers(0, 1 << 16), max_size=12)
"""Where to cut; `single` bytes are tried where the examples say so."""


def single(data: bytes) -> list[bytes]:
    """Byte by byte."""
    return [data[at : at + 1] for at in range(len(data))]


def attempt(read: Callable[[Any], Any], data: object, refusal: type[Exception]) -> Any:
    """What `read` makes of `data`; the error where it is refused by its one kind of error. All others fail the test."""
    try:
        return read(data)
    except refusal as error:
        return error


@st.composite
def damaged(draw: st.DrawFn, good: st.SearchStrategy[bytes]) -> bytes:
    """Good bytes of which a few were changed, taken out or put in; sometimes none."""
    data = bytearray(draw(good))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("change", "remove", "insert", "repeat", "end"))):
            case "change" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "remove":
                del data[at : at + draw(st.integers(1, 8))]
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=6))
            case "repeat":
                data[at:at] = data[max(0, at - 20) : at]
            case "end":
                del data[at:]
    return bytes(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
