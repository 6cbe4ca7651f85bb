"""Exceptions hold data as attributes and say what happened."""

import pytest

from wirehop.core import codes
from wirehop.core.errors import BadMessage, LocalProtocolError, PayloadError, Refused, SettingsError, WirehopError


@pytest.mark.parametrize(
    "error",
    [
        LocalProtocolError("slot", "NEW", "PAGE"),
        BadMessage("no"),
        Refused(),
        PayloadError("no"),
        SettingsError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_everything_raised_on_purpose_is_a_wirehop_error(error: Exception) -> None:
    assert isinstance(error, WirehopError)


def test_a_local_protocol_error_names_machine_state_and_call() -> None:
    error = LocalProtocolError("slot", "NEW", "PAGE")
    assert (error.machine, error.state, error.call) == ("slot", "NEW", "PAGE")
    assert str(error) == "slot in state NEW does not take PAGE"


def test_a_bad_message_closes_with_3501_unless_another_code_is_given() -> None:
    assert BadMessage("why").code is codes.BAD_REQUEST_CLOSE
    assert BadMessage("why").reason == "why"
    assert BadMessage("why", codes.STALE).code is codes.STALE


def test_refusing_without_a_code_is_103_and_the_message_defaults_to_the_text_of_the_code() -> None:
    assert Refused().code is codes.PERMISSION_DENIED
    assert Refused().message == "permission denied"
    assert Refused(codes.EXPIRED, "too late").message == "too late"
    assert str(Refused(codes.EXPIRED, "too late")) == "110 too late"


def test_a_payload_error_is_107() -> None:
    assert PayloadError("no").code is codes.BAD_REQUEST


def test_a_settings_error_names_key_and_origin() -> None:
    error = SettingsError("no", key="port", origin="file")
    assert (error.key, error.origin, str(error)) == ("port", "file", "no")
