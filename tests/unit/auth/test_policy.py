"""Namespaces: whose options a name has, and what they let a user do."""

from typing import get_args

import pytest

from wirehop.abc import Action
from wirehop.auth.policy import Policy
from wirehop.settings.tree import Namespace, Who

DEFAULT = Namespace(history_size=1)
CHAT = Namespace(history_size=2)
POLICY = Policy({"": DEFAULT, "chat": CHAT})


@pytest.mark.parametrize(
    ("channel", "options"),
    [
        ("news", DEFAULT),
        ("chat", DEFAULT),
        ("chat:", CHAT),
        ("chat:a", CHAT),
        ("chat:a:b", CHAT),
        ("Chat:a", DEFAULT),
        (" chat:a", DEFAULT),
        ("other:a", DEFAULT),
        ("other:chat:a", DEFAULT),
        (":a", DEFAULT),
        ("", DEFAULT),
    ],
)
def test_a_name_has_the_options_of_the_part_before_its_first_colon(channel: str, options: Namespace) -> None:
    assert POLICY.options(channel) is options


def test_without_any_namespace_everything_is_denied() -> None:
    policy = Policy({})
    for action in get_args(Action):
        assert not policy.permits(action, "a", "ada")
        assert not policy.permits(action, "a:b", "")


@pytest.mark.parametrize(
    ("who", "anonymous", "ada"), [("anyone", True, True), ("signed-in", False, True), ("nobody", False, False)]
)
def test_who_may(who: Who, anonymous: bool, ada: bool) -> None:
    subscribe, publish = Policy({"": Namespace(subscribe=who)}), Policy({"": Namespace(publish=who)})
    for action in ("subscribe", "history", "presence"):
        assert (subscribe.permits(action, "a", ""), subscribe.permits(action, "a", "ada")) == (anonymous, ada)
        assert not publish.permits(action, "a", "ada")
    assert (publish.permits("publish", "a", ""), publish.permits("publish", "a", "ada")) == (anonymous, ada)
    assert not subscribe.permits("publish", "a", "ada")


def test_later_changes_of_the_mapping_change_nothing() -> None:
    namespaces = {"": Namespace()}
    policy = Policy(namespaces)
    namespaces[""] = Namespace(subscribe="anyone")
    assert not policy.permits("subscribe", "a", "")
