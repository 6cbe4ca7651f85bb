"""Where a server is, as people write it."""

import pytest

from wirehop.client.address import channel_path, read_address
from wirehop.client.errors import AddressError


@pytest.mark.parametrize(
    ("given", "http", "ws"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/x", "ws://127.0.0.1:8000/x"),
        ("ws://localhost:9000/", "http://localhost:9000/x", "ws://localhost:9000/x"),
        ("https://example.org/live", "https://example.org/live/x", "wss://example.org/live/x"),
        ("wss://example.org:443", "https://example.org/x", "wss://example.org/x"),
        ("http://[::1]:8000", "http://[::1]:8000/x", "ws://[::1]:8000/x"),
    ],
)
def test_every_form_reads_as_the_same_server(given: str, http: str, ws: str) -> None:
    address = read_address(given)
    assert address.url("/x") == http
    assert address.url("/x", scheme="ws") == ws


@pytest.mark.parametrize(
    "given",
    ["", "localhost:8000", "ftp://h", "http://", "http://h:99999", "http://u@h", "http://h/?a=b", "http://[::1"],
)
def test_what_is_none_is_refused_with_a_sentence(given: str) -> None:
    with pytest.raises(AddressError) as caught:
        read_address(given)
    assert repr(given) in str(caught.value)
    assert caught.value.code == 107


def test_a_channels_path_is_quoted() -> None:
    assert channel_path("chat:über?#&a/b c") == "/channels/chat:%C3%BCber%3F%23%26a/b%20c"
