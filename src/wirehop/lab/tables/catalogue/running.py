"""What it means to run it: memory, fan-out, sticky sessions, caches, debugging, code, hosting; rows 26 to 32."""

from typing import Final

from wirehop.lab.tables import sources
from wirehop.lab.tables.catalogue.nature import CONTRACTS
from wirehop.lab.tables.cells import cited, proved
from wirehop.lab.tables.lines import Line, fact_line, measured_line

CHANNELS: Final = "tests/behaviour/test_channel_urls.py::"
POLLS: Final = "tests/behaviour/test_polls.py::"
EMULATION: Final = "tests/behaviour/test_sse_and_emulation.py::"

_POLL_STICKS = proved(
    "a session's polls yes; those of a channel's URL no, the cursor says all",
    f"{POLLS}test_a_session_that_is_not_known_is_404",
    f"{CONTRACTS}test_polls_of_a_channel_need_nothing_but_their_cursor",
)
_UP_STICKS = proved(
    "what goes up must reach the process that holds the stream",
    f"{EMULATION}test_emulation_to_a_session_that_is_not_here_is_404",
)
STICKY: Final = {
    "short-poll": _POLL_STICKS,
    "long-poll": _POLL_STICKS,
    "jsonp": proved("yes", f"{POLLS}test_a_session_that_is_not_known_is_404"),
    "sse": proved(
        "no: a request says where it was",
        f"{CHANNELS}test_event_stream_recovers_from_last_event_id_which_wins_over_the_cursor",
    ),
    "sse-post": _UP_STICKS,
    "stream": _UP_STICKS,
    "websocket": proved(
        "no: the whole conversation is one connection", f"{CONTRACTS}test_a_websocket_is_one_connection"
    ),
}

_CACHES = f"{CONTRACTS}test_what_caches_may_keep"
CACHES: Final = {
    "short-poll": proved("asked again with an ETag: 304 while nothing is new", _CACHES),
    "long-poll": proved("none: no-store", _CACHES),
    "jsonp": proved("none: no-store", _CACHES),
    "sse": proved("none: no-cache", _CACHES),
    "sse-post": proved("none: no-cache", _CACHES),
    "stream": proved("none: no-cache, and nobody is to transform it", _CACHES),
    "websocket": proved("none: 101 is no answer to keep", _CACHES),
}

_CURL = proved("curl, and any log of requests", f"{CONTRACTS}test_a_line_of_http_is_enough")
DEBUGGING: Final = {
    "short-poll": _CURL,
    "long-poll": _CURL,
    "sse": cited("curl -N; Firefox shows each event", sources.FIREFOX_EVENTS),
    "stream": cited("curl -N; Chrome's tab for events shows native EventSource alone", sources.FETCH_EVENT_SOURCE_3),
    "websocket": cited("curl from 8.11 on", sources.CURL_WEBSOCKET),
}

_WHILE_IT_RUNS = cited("as long as a function may run", sources.VERCEL_DURATION)
SERVERLESS: Final = {
    "short-poll": cited("fits: each request ends at once", sources.VERCEL_DURATION),
    "jsonp": cited("fits while polls are short: each request ends at once", sources.VERCEL_DURATION),
    "long-poll": _WHILE_IT_RUNS,
    "sse": _WHILE_IT_RUNS,
    "stream": _WHILE_IT_RUNS,
    "websocket": cited(
        "through a gateway that holds it: 2 h, 10 min without traffic; or in one instance, in beta",
        sources.API_GATEWAY,
        sources.VERCEL_WEBSOCKET,
    ),
}

LINES: Final[tuple[Line, ...]] = (
    measured_line("memory", 26, "For an idle connection", ["memory/{technique}"], better="low"),
    measured_line("cpu", 26, "For a delivered message", ["cpu/{technique}"], better="low"),
    measured_line("fanout", 27, "Deliveries a second of one process", ["fanout/{technique}"], better="high"),
    fact_line("sticky", 28, "Must come back to the same process", STICKY),
    fact_line("caches", 29, "What caches may keep", CACHES),
    fact_line("debugging", 30, "Seen with", DEBUGGING),
    measured_line("lines-server", 31, "Server, smallest program", ["lines/server/{technique}"], better="low"),
    measured_line("lines-browser", 31, "Browser, smallest page", ["lines/browser/{technique}"], better="low"),
    measured_line("lines-python", 31, "Python client, smallest program", ["lines/python/{technique}"], better="low"),
    fact_line("serverless", 32, "Fits functions that are started for each request", SERVERLESS),
)
