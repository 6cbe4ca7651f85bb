"""The rows of `wirehop config`."""

from pathlib import Path

from wirehop.settings import load
from wirehop.settings.describe import rows
from wirehop.settings.options import OPTIONS


def test_the_rows_are_all_values_with_their_origin_and_secrets_hidden(tmp_path: Path) -> None:
    environ = {
        "WIREHOP_SERVER__PORT": "9000",
        "WIREHOP_BROKER__URL": "redis://:hunter2@cache",
        "WIREHOP_NAMESPACES__CHAT__HISTORY_AGE": "90",
    }
    found = {row.key: row for row in rows(load(environ=environ, directory=tmp_path))}
    in_namespace = sum(option.is_of_namespace for option in OPTIONS.values())
    assert len(found) == len(OPTIONS) + in_namespace
    assert (found["server.port"].value, found["server.port"].origin) == ("9000", "WIREHOP_SERVER__PORT")
    assert found["broker.url"].value == "(secret)"
    assert found["namespaces.chat.history_age"].value == "90s"
    assert found["limits.message_bytes"].value == "64KiB"
    assert found["server.host"].is_default
    assert not found["server.port"].is_default


def test_a_secret_at_its_default_is_no_secret(tmp_path: Path) -> None:
    found = {row.key: row for row in rows(load(environ={}, directory=tmp_path))}
    assert found["broker.url"].value == "memory://"
