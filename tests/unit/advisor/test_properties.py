"""What holds for every case: more freedom never takes away, less never adds, and the advice is what it says it is."""

from typing import Any

import msgspec
from advisor_figures import EMPTY, PROFILE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wirehop.advisor import Advice, Inputs, Prices, advise
from wirehop.advisor.case import Case
from wirehop.advisor.choice import Choice, choose
from wirehop.advisor.cost import cost_of
from wirehop.advisor.facts import QUESTIONS, complete
from wirehop.advisor.techniques import ADVISED, UDP
from wirehop.measured.profile import Profile
from wirehop.testing.full import FULL, cases

(EXAMPLES,) = cases([150], [2000])
(WHOLE,) = cases([30], [400])
"""Examples of whole answers, each of which runs the rules some hundred times to see what would change it."""

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)


def examples(count: int) -> settings:
    """The same ones each time, unless many are wanted."""
    return settings(max_examples=count, deadline=None, derandomize=not FULL, suppress_health_check=QUIET)


PRICES = Prices(gigabyte=0.05, core=20, memory_gigabyte=3, million_requests=0.4)


def answers() -> st.SearchStrategy[Inputs]:
    """Any answers, each question may stay unanswered."""
    numbers: dict[str, st.SearchStrategy[Any]] = {
        "down": st.sampled_from([0.0, 0.001, 0.01, 0.2, 1.0, 10.0, 60.0, 500.0]),
        "up": st.sampled_from([0.0, 0.001, 0.2, 1.0, 6.0, 40.0]),
        "payload": st.sampled_from([1, 20, 200, 1500, 20_000, 1_000_000]),
        "latency": st.sampled_from([10.0, 45.0, 90.0, 200.0, 1000.0, 10_000.0, 120_000.0]),
        "interval": st.sampled_from([0.02, 1.0, 6.0, 30.0, 120.0]),
        "fanout": st.sampled_from([1, 10, 20_000]),
        "users": st.sampled_from([1, 100, 100_000]),
        "browsers": st.sampled_from([2005, 2013, 2019, 2020, 2022, 2026]),
        "tabs": st.sampled_from([1, 6, 7, 40]),
        "peers": st.sampled_from([0, 1, 2, 4, 5, 9, 100]),
        "viewers": st.sampled_from([0, 1, 50, 5000]),
    }
    return st.builds(Inputs, **{name: st.none() | _values(name, numbers) for name in QUESTIONS})


def _values(name: str, numbers: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    question = QUESTIONS[name]
    if question.type == "yes-no":
        return st.booleans()
    if question.type == "choice":
        return st.sampled_from(question.choices)
    if question.type == "several":
        return st.lists(st.sampled_from(question.choices), unique=True, max_size=3).map(tuple)
    return numbers[name]


PROFILES = st.sampled_from([EMPTY, PROFILE])


def chosen(inputs: Inputs, profile: Profile) -> Choice:
    return choose(Case(complete(inputs)[0], profile))


def changed(inputs: Inputs, **values: Any) -> Inputs:
    return msgspec.structs.replace(inputs, **values)


def left(choice: Choice) -> set[str]:
    return {each.name for each in choice.ranked}


def mentioned(advice: Advice) -> set[str]:
    return {advice.main, advice.side, advice.signaling, *advice.fallbacks, *(each.name for each in advice.ranked)}


@examples(WHOLE)
@given(answers(), PROFILES)
def test_there_is_an_answer_or_a_reason(inputs: Inputs, profile: Profile) -> None:
    advice = advise(inputs, profile)
    if advice.main:
        assert advice.ranked[0].name == advice.main
        assert advice.sentence.startswith(advice.title)
        assert advice.cost is not None
    else:
        assert {each.name for each in advice.dropped} == set(ADVISED)
        assert all(each.rules for each in advice.dropped)
        assert advice.sentence.startswith("Nothing is left: rules H")
    assert left_and_dropped_are_everything(advice)
    assert chosen(inputs, profile).ranked == advice.ranked


def left_and_dropped_are_everything(advice: Advice) -> bool:
    names = [each.name for each in advice.ranked] + [each.name for each in advice.dropped]
    return sorted(names) == sorted(ADVISED)


@examples(EXAMPLES)
@given(answers(), PROFILES)
def test_who_may_lose_more_is_never_led_away_from_udp(inputs: Inputs, profile: Profile) -> None:
    before: dict[str, float] = {}
    for loss in ("none", "latest", "any"):
        choice = chosen(changed(inputs, loss=loss, resume=True), profile)
        best_other = max((each.score for each in choice.ranked if each.name not in UDP), default=0.0)
        ahead = {each.name: each.score - best_other for each in choice.ranked if each.name in UDP}
        assert before.keys() <= ahead.keys()
        assert all(ahead[name] >= points - 1e-9 for name, points in before.items()), (before, ahead)
        before = ahead


@examples(WHOLE)
@given(answers(), PROFILES)
def test_where_udp_is_blocked_nothing_needs_it(inputs: Inputs, profile: Profile) -> None:
    networks = tuple({*(inputs.networks or ("open", "mobile")), "udp-blocked"})
    without_turn = advise(changed(inputs, networks=networks, turn_tls=False), profile)
    assert UDP.isdisjoint(mentioned(without_turn))
    blocked = chosen(changed(inputs, networks=networks, turn_tls=True, battery=True), profile)
    free = chosen(
        changed(inputs, networks=tuple(set(networks) - {"udp-blocked"}), turn_tls=True, battery=True), profile
    )
    assert "webtransport" not in left(blocked)
    assert blocked.main not in UDP or free.main in UDP


@examples(EXAMPLES)
@given(answers(), PROFILES, st.integers(2, 50))
def test_more_people_never_cost_less(inputs: Inputs, profile: Profile, factor: int) -> None:
    few = complete(inputs)[0]
    many = msgspec.structs.replace(few, users=few.users * factor)
    before, after = choose(Case(few, profile)), choose(Case(many, profile))
    assert (before.main, before.topology) == (after.main, after.topology)
    for name in left(before):
        less = cost_of(before.case, name, prices=PRICES)
        more = cost_of(after.case, name, prices=PRICES)
        for key, item in less.items.items():
            value = more.items[key].value
            assert (item.value is None) == (value is None)
            assert item.value is None or value is None or value >= item.value, key


@examples(EXAMPLES)
@given(answers(), PROFILES, st.sampled_from(sorted(ADVISED)))
def test_what_is_forbidden_adds_nothing(inputs: Inputs, profile: Profile, technique: str) -> None:
    facts = complete(inputs)[0]
    free = choose(Case(facts, profile))
    less = {
        "without": tuple({*facts.without, technique}),
        "turn_tls": False,
        "hosting": "serverless",
        "other_origin": "no-cors",
        "front": tuple(set(facts.front) - {"http2"}),
        "networks": tuple({*facts.networks, "udp-blocked"}),
        "browsers": max(2012, facts.browsers - 3) if facts.browsers >= 2012 else facts.browsers,
        "tabs": facts.tabs + 10,
    }
    if facts.other_origin == "no-cors" or facts.browsers < 2012:
        less.pop("other_origin")
    elif "jsonp" not in left(free):
        less.pop("other_origin")  # where it is the only way, JSONP comes back: a need, not a permission
    for name, value in less.items():
        bound = choose(Case(msgspec.structs.replace(facts, **{name: value}), profile))
        assert left(bound) <= left(free), name
    assert technique not in left(choose(Case(msgspec.structs.replace(facts, without=(technique,)), profile)))


@examples(EXAMPLES)
@given(answers(), PROFILES)
def test_more_messages_are_never_fewer_bytes(inputs: Inputs, profile: Profile) -> None:
    facts = complete(inputs)[0]
    few = choose(Case(facts, profile))
    for name in ("down", "up"):
        more = msgspec.structs.replace(facts, **{name: getattr(facts, name) + 1.0})
        for each in few.ranked:
            minute = {
                name: cost_of(Case(case, profile), each.name).value("gigabytes")
                for name, case in (("few", facts), ("more", more))
            }
            if minute["few"] is not None and minute["more"] is not None:
                assert minute["more"] >= minute["few"] * (1 - 1e-12), (each.name, name)


@examples(WHOLE)
@given(answers(), PROFILES)
def test_a_flip_is_what_really_comes_of_the_change(inputs: Inputs, profile: Profile) -> None:
    advice = advise(inputs, profile)
    for flip in advice.flips:
        after = chosen(changed(inputs, **{flip.input: flip.value}), profile)
        assert (after.main, after.topology) == (flip.main, flip.topology)
        assert (after.main, after.topology) != (advice.main, advice.topology)


@examples(WHOLE)
@given(answers(), PROFILES)
def test_answers_and_advice_are_json(inputs: Inputs, profile: Profile) -> None:
    assert msgspec.json.decode(msgspec.json.encode(inputs), type=Inputs) == inputs
    assert msgspec.json.decode(msgspec.json.encode(advise(inputs, profile)))["main"] in {"", *ADVISED}
