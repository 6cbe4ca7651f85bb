"""Who is in one channel, and how often that changed."""

from msgspec import Raw

from wirehop.core.messages import ClientInfo
from wirehop.core.presence import PresenceSet

ANN, BOB = ClientInfo("ann", "1"), ClientInfo("bob", "2")


def test_joins_and_leaves_raise_the_revision_by_one_each() -> None:
    members = PresenceSet()
    revisions = [members.rev]
    for change in (lambda: members.enter(ANN), lambda: members.enter(BOB), lambda: members.leave("1")):
        change()
        revisions.append(members.rev)
    assert revisions == [0, 1, 2, 3]


def test_entering_again_replaces_what_is_known_and_is_no_join() -> None:
    members = PresenceSet()
    assert members.enter(ANN)
    assert not members.enter(ClientInfo("ann", "1", conn_info=Raw(b"1")))
    assert members.rev == 1
    assert members.members()["1"].conn_info == Raw(b"1")


def test_leaving_gives_what_was_known_and_leaving_twice_changes_nothing() -> None:
    members = PresenceSet()
    members.enter(ANN)
    assert members.leave("1") == ANN
    assert members.leave("1") is None
    assert members.rev == 2
    assert len(members) == 0


def test_a_user_with_two_clients_counts_once() -> None:
    members = PresenceSet()
    for client in "123":
        members.enter(ClientInfo("ann" if client != "3" else "bob", client))
    assert members.counts() == (3, 2)
    members.leave("1")
    assert members.counts() == (2, 2)
    members.leave("2")
    assert members.counts() == (1, 1)


def test_anonymous_clients_count_as_one_user() -> None:
    members = PresenceSet()
    members.enter(ClientInfo("", "1"))
    members.enter(ClientInfo("", "2"))
    assert members.counts() == (2, 1)


def test_a_client_that_enters_again_as_another_user_is_counted_there() -> None:
    members = PresenceSet()
    members.enter(ANN)
    members.enter(ClientInfo("bob", "1"))
    assert members.counts() == (1, 1)
    members.enter(BOB)
    assert members.counts() == (2, 1)
    members.leave("1")
    members.leave("2")
    assert members.counts() == (0, 0)


def test_the_members_given_are_a_copy() -> None:
    members = PresenceSet()
    members.enter(ANN)
    members.members().clear()
    assert len(members) == 1
