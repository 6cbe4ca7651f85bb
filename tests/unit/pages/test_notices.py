"""An inbox: what is grouped, what is forgotten, what is quiet, and that every change is the next revision."""

from random import Random

import pytest

from wirehop.core.errors import Refused
from wirehop.pages.demos.notifications.allowance import Allowance
from wirehop.pages.demos.notifications.inbox import MOST_NOTICES, Inbox
from wirehop.pages.demos.notifications.notice import MOST_ACTORS, Change, Event, Notice, Settings, State
from wirehop.pages.demos.notifications.repository import VERBS, Repository, name_of

NOON = 12 * 3_600_000
MINUTE = 60_000


def event(topic: str = "like", item: str = "note-5", actor: str = "Ada", actions: tuple[str, ...] = ()) -> Event:
    return Event(topic, item, f"about {item}", actor, "", actions)  # type: ignore[arg-type]


def told(change: Change | None) -> Notice:
    assert change is not None
    (notice,) = change.notices
    return notice


def test_the_same_on_one_item_is_one_notice_until_it_is_read() -> None:
    inbox = Inbox()
    first = told(inbox.add(event(actor="Ada"), 1))
    inbox.add(event("mention"), 2)
    inbox.set({first.id: "seen"})
    for actor in ("Bo", "Cleo", "Bo"):
        grouped = told(inbox.add(event(actor=actor), 3))
    assert (grouped.id, grouped.people, grouped.count, grouped.state) == (first.id, 3, 4, "unseen")
    assert grouped.actors == ("Bo", "Cleo", "Ada")
    assert inbox.notices[-1].id == first.id, "the newest comes last"
    inbox.set({first.id: "read"})
    assert told(inbox.add(event(actor="Dan"), 4)).id != first.id


@pytest.mark.parametrize("topic", ["mention", "review", "deploy"])
def test_what_wants_an_answer_is_never_grouped(topic: str) -> None:
    inbox = Inbox()
    assert told(inbox.add(event(topic), 1)).id != told(inbox.add(event(topic), 2)).id


def test_a_group_of_many_names_only_some() -> None:
    inbox = Inbox()
    for number in range(100):
        grouped = told(inbox.add(event(actor=name_of(number)), number))
    assert (len(grouped.actors), grouped.people, grouped.count) == (MOST_ACTORS, 100, 100)
    assert grouped.actors[0] == name_of(99)


def test_one_too_many_and_what_was_done_with_goes_first() -> None:
    inbox = Inbox()
    ids = [told(inbox.add(event("mention"), number)).id for number in range(MOST_NOTICES)]
    inbox.set({ids[10]: "read", ids[20]: "archived"})
    gone = []
    for number in range(3):
        change = inbox.add(event("mention"), 1000 + number)
        assert change is not None
        gone += change.gone
    assert gone == [ids[20], ids[10], ids[0]]
    assert len(inbox.notices) == MOST_NOTICES
    assert inbox.counts.forgotten == 3


def test_a_topic_that_is_off_is_counted_and_not_told() -> None:
    inbox = Inbox()
    inbox.configure(Settings(like="off", comment="inbox"), 0)
    assert inbox.add(event("like"), 1) is None
    assert told(inbox.add(event("comment"), 1)).silent
    assert not told(inbox.add(event("mention"), 1)).silent
    assert (inbox.counts.received, inbox.counts.off) == (3, 1)


def test_states_are_set_once_and_an_unknown_notice_changes_nothing() -> None:
    inbox = Inbox()
    notice = told(inbox.add(event(), 1))
    assert told(inbox.set({notice.id: "archived", "n99": "read"})).state == "archived"
    assert inbox.set({notice.id: "archived"}) is None
    assert told(inbox.set({notice.id: "unseen"})).state == "unseen"


def test_an_action_is_taken_once() -> None:
    inbox = Inbox()
    notice = told(inbox.add(event("review", actions=("approve", "decline")), 1))
    answered, change = inbox.answer(notice.id, "approve")
    assert (answered.done, answered.state) == ("approve", "read")
    assert told(change) == answered
    assert inbox.answer(notice.id, "approve") == (answered, None)
    with pytest.raises(Refused, match="answered already: approve"):
        inbox.answer(notice.id, "decline")
    for id_, action in ((notice.id, "explode"), ("n99", "approve")):
        with pytest.raises(Refused, match="no such"):
            inbox.answer(id_, action)


@pytest.mark.parametrize(
    ("begin", "end", "offset", "quiet"),
    [
        (11 * 60, 13 * 60, 0, True),
        (13 * 60, 11 * 60, 0, False),
        (22 * 60, 7 * 60, 0, False),
        (22 * 60, 7 * 60, 11 * 60, True),
        (22 * 60, 7 * 60, -6 * 60, True),
        (12 * 60, 12 * 60, 0, False),
    ],
)
def test_quiet_hours_are_those_of_the_person(begin: int, end: int, offset: int, quiet: bool) -> None:
    settings = Settings(quiet="hours", quiet_from=begin, quiet_to=end, offset=offset)
    assert settings.is_quiet(NOON) is quiet


def test_what_came_in_absence_is_summed_up_once() -> None:
    inbox = Inbox()
    inbox.add(event(actor="before"), NOON)
    inbox.set({inbox.notices[0].id: "read"})
    for number, topic in enumerate(("like", "like", "mention", "review")):
        inbox.add(event(topic, actor=name_of(number)), NOON + number * MINUTE, is_away=True)
    assert inbox.digest is None
    change = inbox.returned(NOON + 10 * MINUTE)
    assert change is not None
    assert change.digest is not None
    assert change.digest.topics == {"like": 2, "mention": 1, "review": 1}
    assert (change.digest.since, change.digest.until) == (NOON, NOON + 10 * MINUTE)
    assert change.digest.ids == tuple(notice.id for notice in inbox.notices[1:])
    assert inbox.returned(NOON + 11 * MINUTE) is None
    dismissed = inbox.dismiss()
    assert dismissed is not None
    assert dismissed.digest is None
    assert inbox.dismiss() is None


def test_few_or_unwanted_are_no_digest() -> None:
    for settings, count in ((Settings(), 2), (Settings(digest=False), 5)):
        inbox = Inbox()
        inbox.configure(settings, 0)
        for number in range(count):
            inbox.add(event("mention"), number, is_away=True)
        assert inbox.returned(9) is None
        assert inbox.digest is None


def test_what_came_in_quiet_is_silent_and_summed_up_when_that_ends() -> None:
    inbox = Inbox()
    inbox.configure(Settings(quiet="now"), 0)
    assert all(told(inbox.add(event("mention"), number)).silent for number in range(4))
    assert inbox.returned(5) is None, "it is quiet still"
    change = inbox.configure(Settings(), 6)
    assert change.digest is not None
    assert change.digest.topics == {"mention": 4}
    assert not told(inbox.add(event("mention"), 7)).silent


def test_every_change_is_the_next_revision_and_a_copy_made_of_them_is_the_inbox() -> None:
    random = Random(7)
    inbox, copy = Inbox(), dict[str, Notice]()
    repository = Repository()
    states: tuple[State, ...] = ("unseen", "seen", "read", "archived")
    revision = 0
    for moment in range(2000):
        change: Change | None
        chance = random.random()
        if chance < 0.6:
            item = random.choice(list(repository.items.values()))
            happened = repository.act(item.id, random.choice(VERBS[item.kind]), name_of(random.randrange(30)))
            change = inbox.add(happened, moment, is_away=random.random() < 0.2)
        elif chance < 0.9 and inbox.notices:
            change = inbox.set({each.id: random.choice(states) for each in random.choices(inbox.notices, k=3)})
        elif chance < 0.97:
            change = inbox.returned(moment)
        else:
            topics = {topic: random.choice(("toast", "inbox", "off")) for topic in ("like", "comment")}
            quiet = random.choice(("off", "off", "now"))
            change = inbox.configure(Settings(quiet=quiet, **topics), moment)  # type: ignore[arg-type]
        if change is not None:
            revision += 1
            assert change.revision == revision
            copy.update({notice.id: notice for notice in change.notices})
            for id_ in change.gone:
                del copy[id_]
            assert change.digest == inbox.digest
        assert sorted(copy.values(), key=lambda each: each.id) == sorted(inbox.notices, key=lambda each: each.id)
        assert len(copy) <= MOST_NOTICES
    assert inbox.counts.forgotten > 0


def test_what_was_before_is_the_same_for_the_same_seed() -> None:
    assert Repository().before(5) == Repository().before(5) != Repository().before(6)


def test_an_item_is_done_only_what_can_be_done_to_it() -> None:
    repository = Repository()
    with pytest.raises(Refused, match="one can deploy"):
        repository.act("note-5", "deploy", "Ada")
    with pytest.raises(Refused, match="no 'note-99'"):
        repository.act("note-99", "like", "Ada")


def test_an_allowance_is_used_up_and_comes_back() -> None:
    allowance = Allowance(2.0, 3.0, 100.0)
    assert [allowance.takes(100.0) for _ in range(4)] == [True, True, True, False]
    assert [allowance.takes(100.6) for _ in range(2)] == [True, False]
    assert [allowance.takes(200.0) for _ in range(4)] == [True, True, True, False]
