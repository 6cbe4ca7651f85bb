"""docs/advisor.md and schema.json: made from the questions, the rules, the criteria and the scenarios."""

from collections.abc import Iterator

import msgspec

from wirehop.advisor.answer import Advice
from wirehop.advisor.choice import RULES, SWING
from wirehop.advisor.facts import QUESTIONS, Inputs, Question, complete
from wirehop.advisor.flips import shown
from wirehop.advisor.reason import advise
from wirehop.advisor.scenarios import SCENARIOS
from wirehop.advisor.scores import CRITERIA
from wirehop.advisor.techniques import ADVISED, title
from wirehop.measured.profile import Profile

_INTRODUCTION = """\
# The advisor

`wirehop advise` says which technique fits an application, from rules and from figures that were measured. It is
also a form in the lab's page (`/lab`, Advisor), and `from wirehop.advisor import Inputs, advise` in Python.

    wirehop advise                                      # asks, on a terminal
    wirehop advise --down 20/s --up 2/s --payload 300 --loss none --users 5000 --fanout 50 --net mobile --browsers 2020+
    wirehop advise --scenario ai --net company-proxy --brief
    wirehop advise --scenario market --json             # schema: src/wirehop/advisor/schema.json
    wirehop advise app:node --fanout 20k --loss latest  # comments on what an application declares

1. *Hard rules* drop techniques: what cannot work, or would work against who asks.
2. What is left gets *points from figures* of the profile (`--profile FILE`, else the one that comes with
   wirehop). For each criterion the best technique, or each that is good enough, gets the whole weight, the
   others their share. A figure that was not measured takes no part: that technique gets the mean of the others,
   and the answer says so.
3. *Soft rules* add points.
4. The answer is a *composite*: the first; a chain to fall back to (the best of each family that fails in
   another way: a proxy that refuses upgrades, one that holds streams back, a network without UDP; polls last);
   how clients send; what carries signaling; what carries messages beside live media.
5. *Confidence* is high where the first stays first when every weight moves by {swing:.0%} in the worst
   direction at once. *Would change if* is found by changing each answer by itself and running the rules again.
6. *Cost* is coefficients of the profile times what was answered. Money needs your prices (`--price-gigabyte`,
   `--price-core`, `--price-memory`, `--price-requests`).
7. Settings, a server and a page to copy. Tests load every file and run every program.

What wirehop does not have yet (WebTransport, a data channel of the server's own, media through the server) is
advised where it is the natural answer, and the advice says what to take meanwhile.

For an application it reads the settings and namespaces of the node: what they do not say (rates, people) comes
from options. The exit code is 1 where something is to be changed.
"""


def reference_page() -> str:
    """docs/advisor.md."""
    lines = [_INTRODUCTION.format(swing=SWING), "## Questions", ""]
    lines += ["Each may stay unanswered; then the value in the last column is assumed, and the answer says so.", ""]
    lines += ["| option | question | answers | assumed |", "| --- | --- | --- | --- |", *_questions(), ""]
    for kind, heading in (("hard", "## Hard rules"), ("soft", "## Soft rules")):
        lines += [heading, "", "| rule | if | then | source |", "| --- | --- | --- | --- |"]
        lines += [
            f'| <a id="{rule.id.lower()}"></a>{rule.id} | {rule.condition} | {rule.effect} | {rule.source} |'
            for rule in RULES
            if rule.kind == kind
        ]
        lines.append("")
    lines += [
        "## Criteria",
        "",
        "| criterion | weight | unit | figure |",
        "| --- | --- | --- | --- |",
        *_criteria(),
        "",
    ]
    lines += ["## Techniques", "", "| name | | in every engine since | source |", "| --- | --- | --- | --- |"]
    lines += [f"| `{name}` | {each.title} | {each.since} | {each.source} |" for name, each in ADVISED.items()]
    lines += [
        "",
        "## Scenarios",
        "",
        "What the rules alone say of each; figures may order the fallbacks otherwise.",
        "",
    ]
    lines += ["| `--scenario` | | advice | rules |", "| --- | --- | --- | --- |", *_scenarios(), ""]
    return "\n".join(lines)


def schema() -> str:
    """schema.json: what `--json` prints."""
    text = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Advice), order="deterministic"), indent=2)
    return text.decode() + "\n"


def _questions() -> Iterator[str]:
    facts, _ = complete(Inputs())
    for name, question in QUESTIONS.items():
        flag = "--net" if name == "networks" else f"--{name.replace('_', '-')}"
        yield f"| `{flag}` | {question.text} | {_answers(question)} | {shown(question, getattr(facts, name))} |"


def _answers(question: Question) -> str:
    if question.name == "without":
        return "techniques, with commas"
    if question.choices:
        with_commas = ", several with commas" if question.type == "several" else ""
        return ", ".join(f"`{choice}`" for choice in question.choices) + with_commas
    examples = {"/s": "`20/s`, `30/min`", "bytes": "`300`, `64KiB`", "ms": "`150`, `2s`", "s": "`30s`, `5m`"}
    if question.type == "yes-no":
        return "yes, no"
    return examples.get(question.unit, "`2020+`" if question.unit == "year" else "`50`, `10k`")


def _criteria() -> Iterator[str]:
    names = {
        "latency": "`latency/{technique}/{link}/p99` on the worst of the networks; as old as wanted is good enough",
        "bytes": "`bytes/…` and `idle/…`, for the rates and sizes answered",
        "first": "`first/{technique}/warm`, or `new` where nothing warm was measured",
        "cpu": "`cpu/{technique}`",
        "memory": "`memory/{technique}`",
        "lines": "`lines/browser/{technique}`",
    }
    for each in CRITERIA:
        yield f"| {each.name} | {each.weight:g} | {each.unit} | {names[each.name]} |"


def _scenarios() -> Iterator[str]:
    for name, scenario in SCENARIOS.items():
        advice = advise(scenario.inputs, Profile())
        said = advice.sentence
        for party, inputs in scenario.others.items():
            said += f" For {party}: {title(advise(inputs, Profile()).main)}."
        deciding = [rule.id for rule in advice.rules if rule.favours.get(advice.main, 0) > 0]
        yield f"| `{name}` | {scenario.title} | {said} | {', '.join(deciding)} |"
