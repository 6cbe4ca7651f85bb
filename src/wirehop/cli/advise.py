"""`wirehop advise`: which technique, asked question by question, by options, by scenario, or about an application.

It turns text into answers and an answer into text; the reasoning is `wirehop.advisor`.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from wirehop.advisor import SCENARIOS, InputError, Inputs, Prices
from wirehop.advisor import advise as advise_on
from wirehop.advisor.cost import HOURS
from wirehop.advisor.declared import comment_on
from wirehop.advisor.facts import QUESTIONS, Question, complete
from wirehop.advisor.flips import shown
from wirehop.advisor.reading import Answer, read_answer
from wirehop.advisor.words import text_of, text_of_declared
from wirehop.cli.app import load_app
from wirehop.core.errors import SettingsError
from wirehop.measured.profile import OWN, Profile, load_profile
from wirehop.settings.load import load

Function = TypeVar("Function", bound=Callable[..., Any])
SHORT: Final = {"networks": "--net"}
"""Options that are called otherwise than their question."""

ENOUGH: Final = "."


def _reader(question: Question) -> Callable[[click.Context, click.Parameter, str | None], Answer]:
    """What reads an option's text."""

    def read(_context: click.Context, _option: click.Parameter, text: str | None) -> Answer:
        try:
            return None if text is None else read_answer(question, text)
        except InputError as error:
            raise click.BadParameter(str(error)) from None

    return read


def answer_options(command: Function) -> Function:
    """An option for each question."""
    for name, question in reversed(list(QUESTIONS.items())):
        flag = SHORT.get(name, f"--{name.replace('_', '-')}")
        said = f"{question.text} [{'|'.join(question.choices)}]" if question.type == "choice" else question.text
        said += f" (of {', '.join(question.choices)}; with commas)" if question.type == "several" else ""
        metavar = {"choice": "WORD", "several": "A,B", "yes-no": "YES|NO"}.get(question.type, _unit(question))
        command = click.option(flag, name, callback=_reader(question), metavar=metavar, help=said)(command)
    return command


def _unit(question: Question) -> str:
    return {"/s": "N/s", "bytes": "SIZE", "ms": "MS", "s": "DURATION", "year": "YEAR+"}.get(question.unit, "N")


@click.command()
@click.argument("app", default="")
@click.option("--scenario", type=click.Choice(tuple(SCENARIOS)), help="Begin with the answers of a scenario.")
@answer_options
@click.option("--hours", default=HOURS, show_default=True, help="Hours a day that each user is there, for the cost.")
@click.option("--price-gigabyte", default=0.0, help="Price of a gigabyte of traffic.")
@click.option("--price-core", default=0.0, help="Price of a core, a month.")
@click.option("--price-memory", default=0.0, help="Price of a gigabyte of memory, a month.")
@click.option("--price-requests", default=0.0, help="Price of a million requests.")
@click.option("--profile", "profile_file", metavar="FILE", help="Reason with these figures instead of wirehop's own.")
@click.option("--brief", is_flag=True, help="Without settings and code to copy.")
@click.option(
    "--json", "as_json", is_flag=True, help="For programs: one JSON object (src/wirehop/advisor/schema.json)."
)
def advise(
    app: str,
    *,
    scenario: str | None,
    hours: float,
    price_gigabyte: float,
    price_core: float,
    price_memory: float,
    price_requests: float,
    profile_file: str | None,
    brief: bool,
    as_json: bool,
    **answers: Answer,
) -> int:
    """Say which technique fits, and why: from rules and measured figures.

    Without options it asks, on a terminal. Answers can be left out, or be "?". APP (module:node) is commented on:
    its namespaces and settings, beside what is said here.
    """
    given: dict[str, Any] = {name: value for name, value in answers.items() if value is not None}
    if scenario is not None:
        given = {**_known(SCENARIOS[scenario].inputs), **given}
    profile = _profile(profile_file)
    inputs = Inputs(**given)
    complete(inputs)  # what is wrong with an answer is said before an application is imported
    if app:
        return _comment(app, inputs, profile, as_json=as_json)
    if not given and sys.stdin.isatty() and not as_json:
        inputs = _asked()
    prices = Prices(
        gigabyte=price_gigabyte, core=price_core, memory_gigabyte=price_memory, million_requests=price_requests
    )
    advice = advise_on(inputs, profile, prices=prices, hours=hours)
    click.echo(msgspec.json.encode(advice) if as_json else text_of(advice, recipes=not brief), nl=as_json)
    return 0 if advice.main else 1


def _known(inputs: Inputs) -> dict[str, Any]:
    return {name: value for name in QUESTIONS if (value := getattr(inputs, name)) is not None}


def _profile(file: str | None) -> Profile:
    try:
        return load_profile(Path(file) if file else OWN)
    except OSError as error:
        raise SettingsError(f"cannot read the profile {file!r}: {error.strerror}", key="profile") from None
    except msgspec.MsgspecError as error:
        raise SettingsError(f"{file!r} is no profile: {error}", key="profile") from None


def _comment(app: str, inputs: Inputs, profile: Profile, *, as_json: bool) -> int:
    node = load_app(app, load())
    declared = comment_on(node.settings, inputs, profile)
    click.echo(msgspec.json.encode(declared) if as_json else text_of_declared(declared), nl=as_json)
    comments = [*declared.server, *(each for channel in declared.channels for each in channel.comments)]
    return 1 if any(each.verdict == "warn" for each in comments) else 0


def _asked() -> Inputs:
    """The answers of somebody at the terminal."""
    click.echo(f"Enter: don't know. {ENOUGH} : enough, advise.\n")
    given: dict[str, Any] = {}
    for name, question in QUESTIONS.items():
        facts, _ = complete(Inputs(**given))
        while True:
            choices = f" [{', '.join(question.choices)}]" if question.choices else ""
            text = click.prompt(
                f"{question.text}{choices} ({shown(question, getattr(facts, name))})", default="", show_default=False
            )
            if text.strip() == ENOUGH:
                return Inputs(**given)
            try:
                answer = read_answer(question, text)
                trial: dict[str, Any] = {**given, name: answer}
                complete(Inputs(**trial))
                given = trial
            except InputError as error:
                click.echo(f"  {error}")
                continue
            break
    return Inputs(**given)
