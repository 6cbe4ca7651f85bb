"""Sessions over event streams through nginx and HAProxy: tests of tests/behaviour once more."""
# ruff: noqa: F401 - what is imported is what pytest collects

import pytest
from test_sse_and_emulation import (
    test_a_refused_connect_is_http_200_with_an_error_reply_and_the_end,
    test_a_ticket_works_once,
    test_each_event_is_one_reply_on_one_data_line,
    test_emulation_to_a_session_that_is_not_here_is_404,
    test_the_session_ends_with_its_stream,
)

pytestmark = pytest.mark.asyncio


@pytest.fixture
def wire_name() -> str:
    return "sse"
