"""A tree built by hand is checked like a loaded one."""

import pytest

from wirehop.core.errors import SettingsError
from wirehop.settings import Limits, Namespace, Server, Settings, check


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (Settings(server=Server(port=70_000)), "server.port"),
        (Settings(limits=Limits(poll_wait=56.0)), "limits.poll_wait"),
        (Settings(limits=Limits(outbox_bytes=0)), "limits.outbox_bytes"),
        (Settings(namespaces={"": Namespace(history_size=0)}), "namespaces.default.history_size"),
        (Settings(namespaces={"default": Namespace()}), "namespaces.default"),
        (Settings(namespaces={"Chat": Namespace()}), "namespaces.Chat"),
    ],
)
def test_what_is_out_of_range_or_contradicts_is_refused(settings: Settings, key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check(settings)
    assert caught.value.key == key


def test_a_namespace_without_name_is_not_needed() -> None:
    check(Settings(namespaces={"chat": Namespace()}))
