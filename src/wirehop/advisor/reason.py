"""From answers to advice: a choice, what goes with it, what would change it, what it costs, and how to set it up.

It is pure: the same inputs and the same profile give the same advice.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from wirehop.advisor.answer import Advice
from wirehop.advisor.case import MESH, Case
from wirehop.advisor.choice import Choice, chain, choose, confidence
from wirehop.advisor.cost import HOURS, Prices, cost_of
from wirehop.advisor.facts import Inputs, complete
from wirehop.advisor.flips import flips_of
from wirehop.advisor.programs import page_of, server_of
from wirehop.advisor.recipe import settings_of
from wirehop.advisor.scores import CRITERIA
from wirehop.advisor.techniques import ADVISED, UDP, title
from wirehop.measured.profile import Profile


def advise(
    inputs: Inputs,
    profile: Profile,
    *,
    prices: Prices | None = None,
    hours: float = HOURS,
) -> Advice:
    """The whole answer. Raises `InputError`."""
    facts, assumed = complete(inputs)
    choice = choose(Case(facts, profile))
    answer = _composite(choice, assumed)
    if not answer.main:
        return answer
    costs = {each.name: cost_of(choice.case, each.name, hours=hours, prices=prices) for each in choice.ranked}
    return msgspec.structs.replace(
        answer,
        flips=flips_of(inputs, profile, choice),
        cost=costs[answer.main],
        costs=costs,
        settings=settings_of(answer),
        server=server_of(answer),
        page=page_of(answer),
    )


def _composite(choice: Choice, assumed: tuple[str, ...]) -> Advice:
    case, main = choice.case, choice.main
    meanwhile = _meanwhile(choice)
    side = _side(case) if main == "media" else ""
    first = choice.ranked[0] if choice.ranked else None
    return Advice(
        main=main,
        title=_title(choice),
        sentence=_sentence(choice, side, meanwhile),
        topology=choice.topology,
        fallbacks=chain(choice) if main else (),
        upstream=_upstream(case, main),
        signaling=_signaling(case, main),
        side=side,
        meanwhile=meanwhile,
        confidence=confidence(choice),
        rules=choice.rules,
        ranked=choice.ranked,
        dropped=choice.dropped,
        flips=(),
        bytes_per_minute=first.bytes_per_minute if first else None,
        p99=first.p99 if first else None,
        cost=None,
        facts=case.facts,
        assumed=assumed,
        notes=_notes(choice),
    )


_TOPOLOGIES: Final[Mapping[str, str]] = {
    "mesh": "from one to the other",
    "sfu": "through a server that forwards (SFU)",
    "sfu-tree": "through SFUs in a tree (or LL-HLS for those who only watch)",
}


def _title(choice: Choice) -> str:
    if not choice.main:
        return "nothing"
    return f"{title(choice.main)}, {_TOPOLOGIES[choice.topology]}" if choice.topology else title(choice.main)


def _sentence(choice: Choice, side: str, meanwhile: str) -> str:
    if not choice.main:
        ids = sorted({rule for each in choice.dropped for rule in each.rules}, key=lambda each: int(each[1:]))
        return f"Nothing is left: rules {', '.join(ids)} together drop every technique."
    steps = [title(step) for step in chain(choice)]
    parts = [_title(choice)]
    if side:
        parts.append(f"with {title(side)} beside it")
    if steps:
        parts.append(f"falling back to {', then '.join(steps)}")
    sentence = ", ".join(parts) + "."
    if meanwhile:
        sentence += f" Not yet in wirehop: meanwhile {meanwhile}."
    return sentence


def _meanwhile(choice: Choice) -> str:
    """What to take while wirehop does not have the best."""
    if not choice.ranked or choice.ranked[0].in_wirehop:
        return ""
    if choice.main == "media":
        return f"calls of up to {MESH} from one to the other, and whatever forwards media beside wirehop's channels"
    for each in choice.ranked[1:]:
        if each.in_wirehop:
            latest = " with class `latest`" if choice.case.is_stale_worse else ""
            return f"{each.title}{latest}"
    return "nothing of wirehop's fits"


def _upstream(case: Case, main: str) -> str:
    if not main or (not case.facts.up and main != "media"):
        return ""
    return ADVISED[main].way_up


def _signaling(case: Case, main: str) -> str:
    """The technique that carries offers and answers: whatever the session is on, WebSocket first."""
    if main not in UDP or main == "webtransport":
        return ""
    with_sessions = msgspec.structs.replace(
        case.facts,
        media="none",
        peers=0,
        viewers=0,
        direction="both",
        up=0.2,
        down=0.2,
        kind="text",
        loss="none",
        order=True,
        secrecy=False,
    )
    return choose(Case(with_sessions, case.profile)).main


def _side(case: Case) -> str:
    """What carries the messages beside live media, if there are such."""
    facts = case.facts
    if not facts.up and not facts.down:
        return ""
    few = facts.peers if case.is_peer_to_peer else 0
    beside = msgspec.structs.replace(facts, media="none", peers=few, viewers=0 if not few else facts.viewers)
    choice = choose(Case(beside, case.profile))
    return next((each.name for each in choice.ranked), "")


def _notes(choice: Choice) -> tuple[str, ...]:
    """Which figures there are none of, for the first."""
    if not choice.ranked:
        return ()
    missing = choice.ranked[0].not_measured
    measured = {part.criterion for part in choice.ranked[0].parts}
    notes = [f"not measured for {choice.ranked[0].title}: {', '.join(missing)}"] if missing else []
    absent = [name for name in (each.name for each in CRITERIA) if name not in measured]
    if absent:
        notes.append(f"not measured for any of them: {', '.join(absent)}")
    if choice.case.facts.media == "none" and choice.ranked[0].p99 is None and "latency" not in absent:
        notes.append("latency on one of the networks was not measured")
    return tuple(notes)
