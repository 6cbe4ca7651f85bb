"""What dev opens, and that it opens it to this machine only."""

from pathlib import Path

import pytest

from wirehop.core.errors import SettingsError
from wirehop.settings import Flags, Origins, Server, Settings, check, dev, is_loopback, load
from wirehop.settings.values import Given


def loaded_dev(directory: Path, **flags: str) -> Settings:
    given = {key.replace("__", "."): Given(text, "--x") for key, text in {"dev": "true", **flags}.items()}
    return load(Flags(given), environ={}, directory=directory).settings


def test_the_function_and_the_flag_give_the_same(tmp_path: Path) -> None:
    assert loaded_dev(tmp_path) == dev()
    check(dev())


def test_it_opens_three_namespaces_one_per_delivery() -> None:
    namespaces = dev().namespaces
    assert {name: namespace.delivery for name, namespace in namespaces.items()} == {
        "": "log",
        "signal": "signal",
        "latest": "latest",
    }
    for namespace in namespaces.values():
        assert namespace.subscribe == namespace.publish == "anyone"
        assert namespace.presence
        assert namespace.join_leave
    assert (namespaces[""].history_size, namespaces[""].history_age) == (100, 300.0)


def test_it_adds_the_pages_of_this_machine_to_the_origins(tmp_path: Path) -> None:
    assert dev().origins == Origins(allowed=("loopback",))
    with_own = loaded_dev(tmp_path, origins__allowed="https://a.example")
    assert with_own.origins.allowed == ("https://a.example", "loopback")
    assert loaded_dev(tmp_path, origins__allowed="*").origins.allowed == ("*",)
    assert loaded_dev(tmp_path, origins__allowed="loopback").origins.allowed == ("loopback",)


def test_the_origins_of_a_dev_server_say_both_sources(tmp_path: Path) -> None:
    flags = Flags({"dev": Given("true", "--dev"), "origins.allowed": Given("https://a.example", "--origins-allowed")})
    assert load(flags, environ={}, directory=tmp_path).origins["origins.allowed"] == "--origins-allowed and dev"


def test_what_is_given_stays(tmp_path: Path) -> None:
    settings = loaded_dev(tmp_path, transports__jsonp="false", namespaces__default__publish="nobody")
    assert not settings.transports.jsonp
    assert settings.namespaces[""].publish == "nobody"
    assert settings.namespaces[""].subscribe == "anyone"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_it_refuses_a_host_that_others_can_reach(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match="loopback") as caught:
        loaded_dev(tmp_path, server__host=host)
    assert caught.value.key == "server.host"
    with pytest.raises(SettingsError):
        check(Settings(dev=True, server=Server(host=host)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_any_name_of_loopback_will_do(tmp_path: Path, host: str) -> None:
    assert is_loopback(host)
    assert loaded_dev(tmp_path, server__host=host).server.host == host
