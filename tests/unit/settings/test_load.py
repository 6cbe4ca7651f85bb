"""Sources, their order, and what they say when something is wrong."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from wirehop.core.errors import SettingsError
from wirehop.settings import Flags, Loaded, Namespace, Settings, load
from wirehop.settings.values import Given


def loaded(
    directory: Path,
    *,
    toml: str = "",
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    config: str = "",
) -> Loaded:
    if toml:
        (directory / "wirehop.toml").write_text(toml)
    given = {key: Given(text, f"--{key}") for key, text in (flags or {}).items()}
    return load(Flags(given, config), environ=environ or {}, directory=directory)


def refusal(directory: Path, **sources: object) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        loaded(directory, **sources)  # type: ignore[arg-type]
    return caught.value


def test_nothing_given_is_the_defaults(tmp_path: Path) -> None:
    result = loaded(tmp_path)
    assert result.settings == Settings()
    assert set(result.origins.values()) == {"default"}


def test_flags_beat_the_environment_beats_the_file_beats_dev_beats_defaults(tmp_path: Path) -> None:
    toml = "dev = true\n[transports]\njsonp = false\n[server]\nport = 1\ndrain = '1s'\nkeep_alive = '1s'"
    environ = {"WIREHOP_SERVER__PORT": "2", "WIREHOP_SERVER__DRAIN": "2s"}
    result = loaded(tmp_path, toml=toml, environ=environ, flags={"server.port": "3"})
    server = result.settings.server
    assert (server.port, server.drain, server.keep_alive) == (3, 2.0, 1.0)
    assert not result.settings.transports.jsonp
    assert result.settings.namespaces[""].publish == "anyone"
    assert result.origins["server.port"] == "--server.port"
    assert result.origins["server.drain"] == "WIREHOP_SERVER__DRAIN"
    assert result.origins["server.keep_alive"] == "wirehop.toml"
    assert result.origins["transports.jsonp"] == "wirehop.toml"
    assert result.origins["namespaces.default.publish"] == "dev"
    assert result.origins["server.host"] == "default"


def test_plain_port_is_weaker_than_the_full_name(tmp_path: Path) -> None:
    assert loaded(tmp_path, environ={"PORT": "9000"}).settings.server.port == 9000
    assert loaded(tmp_path, environ={"PORT": ""}).settings.server.port == 8000
    both = loaded(tmp_path, environ={"PORT": "9000", "WIREHOP_SERVER__PORT": "9001"})
    assert both.settings.server.port == 9001
    assert loaded(tmp_path, toml="server.port = 7", environ={"PORT": "9000"}).origins["server.port"] == "PORT"


# ---- files


def test_the_table_in_pyproject_is_read_where_there_is_no_own_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.wirehop.server]\nport = 9000")
    result = loaded(tmp_path)
    assert result.settings.server.port == 9000
    assert result.origins["server.port"] == "pyproject.toml [tool.wirehop]"
    assert loaded(tmp_path, toml="server.port = 9001").settings.server.port == 9001


def test_a_pyproject_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'")
    assert loaded(tmp_path).settings == Settings()


def test_a_named_file_replaces_the_usual_one_and_the_flag_beats_the_variable(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("server.port = 1")
    (tmp_path / "b.toml").write_text("server.port = 2")
    environ = {"WIREHOP_CONFIG": "a.toml"}
    assert loaded(tmp_path, toml="server.drain = 3", environ=environ).settings.server.port == 1
    result = loaded(tmp_path, environ=environ, config=str(tmp_path / "b.toml"))
    assert result.settings.server.port == 2
    assert result.settings.server.drain == 10.0


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert "--config" in str(refusal(tmp_path, config="gone.toml"))
    assert "WIREHOP_CONFIG" in str(refusal(tmp_path, environ={"WIREHOP_CONFIG": "gone.toml"}))


def test_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    assert "line 2" in str(refusal(tmp_path, toml="[server]\nport 1"))


# ---- namespaces


def test_default_is_the_spelling_of_the_namespace_without_a_name(tmp_path: Path) -> None:
    toml = "[namespaces.default]\npresence = true"
    environ = {"WIREHOP_NAMESPACES__DEFAULT__HISTORY_SIZE": "7"}
    result = loaded(tmp_path, toml=toml, environ=environ, flags={"namespaces.default.publish": "anyone"})
    assert result.settings.namespaces == {"": Namespace(presence=True, history_size=7, publish="anyone")}


def test_a_namespace_may_be_declared_by_a_table_without_keys(tmp_path: Path) -> None:
    result = loaded(tmp_path, toml="[namespaces.chat]")
    assert result.settings.namespaces == {"": Namespace(), "chat": Namespace()}
    assert result.origins["namespaces.chat.presence"] == "default"


def test_the_name_of_a_namespace_may_have_underscores_in_the_environment(tmp_path: Path) -> None:
    result = loaded(tmp_path, environ={"WIREHOP_NAMESPACES__MY_OWN__CHAT_____PRESENCE": "on"})
    assert result.settings.namespaces["my_own__chat___"].presence


@pytest.mark.parametrize(
    "toml",
    [
        "[namespaces.Chat]",
        "[namespaces.'']\npresence = true",
        "[namespaces.'a b']\nx = 1",
        f"[namespaces.{'a' * 33}]\npresence = true",
    ],
)
def test_a_namespace_has_a_plain_name(tmp_path: Path, toml: str) -> None:
    assert "cannot name a namespace" in str(refusal(tmp_path, toml=toml))


def test_a_namespace_that_recovers_needs_history(tmp_path: Path) -> None:
    for delivery in ("log", "latest"):
        for option in ("history_size", "history_age"):
            toml = f"[namespaces.chat]\ndelivery = '{delivery}'\n{option} = 0"
            error = refusal(tmp_path, toml=toml)
            assert error.key == f"namespaces.chat.{option}"
            assert error.origin == "wirehop.toml"
    signal = loaded(tmp_path, toml="[namespaces.chat]\ndelivery = 'signal'\nhistory_size = 0\nhistory_age = 0")
    assert signal.settings.namespaces["chat"].history_size == 0


# ---- errors


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ({"toml": "[server]\nprot = 1"}, ["server.prot", "wirehop.toml", "server.port"]),
        ({"toml": "port = 1"}, ["port", "did you mean server.port?"]),
        ({"toml": "server = 1"}, ["section", "[server]"]),
        ({"toml": "namespaces = 1"}, ["section"]),
        ({"toml": "[srever]\nport = 1"}, ["srever.port", "server.port"]),
        ({"toml": "[namespaces.chat]\nhistory_sise = 1"}, ["namespaces.chat.history_size"]),
        ({"toml": "[zzz]\nqqq = 1"}, ["zzz.qqq", "wirehop config"]),
        ({"environ": {"WIREHOP_SERVER_PORT": "1"}}, ["did you mean WIREHOP_SERVER__PORT?"]),
        ({"environ": {"WIREHOP_PORT": "1"}}, ["did you mean WIREHOP_SERVER__PORT?"]),
        ({"environ": {"WIREHOP_NAMESPACES__CHAT__PRESENSE": "1"}}, ["WIREHOP_NAMESPACES__CHAT__PRESENCE"]),
        ({"environ": {"WIREHOP_QQQQQQQQQQQQQQQQQQQQQQQQ": "1"}}, ["wirehop config"]),
        ({"environ": {"WIREHOP_SERVER__PORT_FILE": "x"}}, ["WIREHOP_SERVER__PORT"]),
        ({"flags": {"server.port": "x"}}, ["--server.port", "'x'", "a whole number from 0 to 65535"]),
        ({"flags": {"server.port": "65536"}}, ["too big"]),
        ({"flags": {"heartbeat.interval": "0"}}, ["too small", "at least 100ms"]),
        ({"environ": {"WIREHOP_SERVER__DRAIN": "soon"}}, ["WIREHOP_SERVER__DRAIN", "'soon'", "a duration"]),
        ({"toml": "server.drain = inf"}, ["finite"]),
        ({"toml": "server.drain = nan"}, ["finite"]),
        ({"toml": "server.drain = true"}, ["not a duration"]),
        ({"toml": "server.port = true"}, ["whole number"]),
        ({"toml": "server.host = 1"}, ["not text"]),
        ({"toml": 'server.host = "a\\u0000"'}, ["control character"]),
        ({"toml": "limits.message_bytes = 1.5"}, ["not a size"]),
        ({"toml": "limits.message_bytes = '64 parsecs'"}, ["parsecs", "KiB"]),
        ({"toml": "transports.sse = 'maybe'"}, ["neither true nor false"]),
        ({"toml": "origins.allowed = [1]"}, ["list of strings"]),
        ({"toml": "[namespaces.chat]\ncoalesce = '6ms'"}, ["too big", "5ms"]),
        ({"toml": "[namespaces.chat]\ndelivery = 'lag'"}, ["'lag'", "log, latest, signal"]),
        ({"toml": "origins.allowed = ['https://a.example/']"}, ["origins.allowed", "https://example.org"]),
        ({"toml": "origins.allowed = ['a.example']"}, ["'a.example'"]),
        ({"toml": "server.trusted_proxies = ['10.0.0.1/8']"}, ["10.0.0.1/8", "10.0.0.0/8"]),
        ({"toml": "server.certificate = 'a.pem'"}, ["server.private_key"]),
        ({"toml": "broker.url = 'redis'"}, ["broker.url"]),
    ],
)
def test_an_error_says_what_where_and_what_is_allowed(
    tmp_path: Path, sources: dict[str, object], words: list[str]
) -> None:
    text = str(refusal(tmp_path, **sources))
    for word in words:
        assert word in text


# ---- secrets and the environment of others


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://:hunter2@cache\n")
    result = loaded(tmp_path, environ={"WIREHOP_BROKER__URL_FILE": str(file)})
    assert result.settings.broker.url == "redis://:hunter2@cache"
    assert result.origins["broker.url"] == f"WIREHOP_BROKER__URL_FILE ({file})"


def test_a_secret_is_given_once(tmp_path: Path) -> None:
    environ = {"WIREHOP_BROKER__URL_FILE": "x", "WIREHOP_BROKER__URL": "memory://"}
    assert "one of them" in str(refusal(tmp_path, environ=environ))


def test_the_file_of_a_secret_must_be_there(tmp_path: Path) -> None:
    assert "cannot read" in str(refusal(tmp_path, environ={"WIREHOP_BROKER__URL_FILE": str(tmp_path / "gone")}))


def test_an_error_about_a_secret_does_not_show_it(tmp_path: Path) -> None:
    for text in ("hunter2", "hunter2\x01"):
        error = refusal(tmp_path, environ={"WIREHOP_BROKER__URL": text})
        assert "hunter2" not in str(error)
        assert error.key == "broker.url"


def test_the_variables_that_kubernetes_adds_for_a_service_are_ignored(tmp_path: Path) -> None:
    environ = {
        "WIREHOP_SERVICE_HOST": "10.0.0.11",
        "WIREHOP_SERVICE_PORT": "8000",
        "WIREHOP_SERVICE_PORT_HTTP": "8000",
        "WIREHOP_PORT": "tcp://10.0.0.11:8000",
        "WIREHOP_PORT_8000_TCP": "tcp://10.0.0.11:8000",
        "WIREHOP_PORT_8000_TCP_PROTO": "tcp",
        "WIREHOP_PORT_8000_TCP_PORT": "8000",
        "WIREHOP_PORT_8000_TCP_ADDR": "10.0.0.11",
        "WIREHOP_ADMIN_PORT_80_TCP_ADDR": "10.0.0.12",
    }
    assert loaded(tmp_path, environ=environ).settings == Settings()
