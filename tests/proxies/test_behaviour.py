"""What holds directly holds through nginx and HAProxy: tests of tests/behaviour once more, on every wire."""
# ruff: noqa: F401 - what is imported is what pytest collects

import pytest
from test_channel_urls import (
    test_event_stream_begins_with_retry_and_its_position_and_every_id_is_a_cursor,
    test_event_stream_loses_nothing_over_a_cut,
    test_event_stream_recovers_from_last_event_id_which_wins_over_the_cursor,
    test_head_options_and_other_methods,
    test_long_poll_at_the_end_of_its_wait_is_empty_with_the_same_cursor,
    test_long_poll_whose_peer_goes_leaves_nothing,
    test_long_poll_with_a_cursor_is_answered_when_there_is_something,
    test_long_polls_in_a_row_see_every_publication_once,
    test_names_are_percent_decoded_once,
    test_post_with_an_idempotency_key_publishes_once,
    test_presence_is_a_url,
    test_several_channels_come_in_one_block_each_under_one_cursor,
    test_short_poll_is_304_while_nothing_is_new,
    test_socket_carries_each_payload_in_its_own_form,
    test_socket_in_json_says_its_cursor_and_recovers,
    test_socket_that_may_not_publish_is_closed_with_3507,
    test_the_servers_own_pages_may,
    test_what_is_sent_on_a_socket_is_published,
    test_without_more_words_a_channel_is_a_page_of_history,
)
from test_commands import (
    test_500_fast_publications_arrive_once_and_in_order,
    test_a_session_that_ends_leaves_its_channels,
    test_history_pages_forwards_and_backwards,
    test_payloads_arrive_byte_for_byte,
    test_ping_is_answered,
    test_presence_and_its_counts,
    test_publications_reach_the_subscriber_with_their_offsets,
    test_rpc_decodes_its_argument_and_answers,
    test_send_reaches_the_application_and_has_no_reply,
    test_two_publishers_at_once_are_seen_in_one_order_by_all,
)
from test_connect import (
    test_a_connect_that_fits_no_url_works,
    test_draining_ends_all_sessions_with_3001,
    test_refusal_with_an_error_code_is_the_reply_to_connect,
    test_server_disconnect_reaches_the_client_with_code_and_reason,
)
from test_polls import test_jsonp_escapes_what_ends_a_line_in_old_scripts
from test_recovery import (
    test_nothing_is_missing_and_nothing_is_twice_after_a_cut,
    test_recovery_from_the_beginning_gives_everything,
)

pytestmark = pytest.mark.asyncio
