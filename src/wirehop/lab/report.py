"""The lab without a page: everything measured and probed, as a profile, and as one HTML page with plots and tables.

It knows the plan, the browsers and how figures are drawn. What is measured is for `lab.measure`, the tables for
`lab.tables`.
"""

import asyncio
from collections.abc import Sequence
from html import escape
from typing import Final

from wirehop.bench import svg
from wirehop.lab.measure.browsers import Browser, BrowserAbsent, enter, probe, version_of
from wirehop.lab.measure.notebook import Notebook
from wirehop.lab.measure.samples import ENOUGH, Interval, rank
from wirehop.lab.measure.suite import LINKS, QUICK, Plan, Say, measure, new_notebook
from wirehop.lab.presets import PRESETS
from wirehop.lab.tables import render_html
from wirehop.measured import TECHNIQUES, Profile

STYLE: Final = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1400px;"
    "padding:0 1rem}"
    "svg{max-width:100%;height:auto;display:block;margin:1.5rem 0}dt{font-weight:600}dd{margin:0 0 .4rem 0}"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,560px),1fr));gap:1rem}"
    ".ranks td,.ranks th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}"
)
PLOTS: Final = (
    ("Bytes on the wire for a message of 200 bytes down", "bytes/{}/down/200"),
    ("Bytes on the wire for a message of 200 bytes up", "bytes/{}/up/200"),
    ("Bytes an hour in which nothing happens", "idle/{}"),
    ("Messages a second over one connection, p99 below 100 ms", "rate/{}"),
    ("Bytes of the server for an idle connection", "memory/{}"),
    ("µs of the server for a delivered message", "cpu/{}"),
    ("Deliveries a second of one server process", "fanout/{}"),
)


async def make_profile(plan: Plan, browsers: Sequence[Browser], say: Say) -> Profile:
    """Measure all, and probe these browsers meanwhile, as long as nothing is timed beside them."""
    notebook = new_notebook()

    async def beside() -> None:
        for browser in browsers:
            await _probe(browser, notebook, say, is_short=plan == QUICK)

    await measure(plan, say, notebook, beside if browsers else None)
    return notebook.profile()


async def _probe(browser: Browser, notebook: Notebook, say: Say, *, is_short: bool) -> None:
    try:
        version = await version_of(browser)
        say(f"probing {version}")
        results = await probe(browser, is_short=is_short)
    except (BrowserAbsent, OSError) as error:
        say(f"{browser.name} is not probed: {error}")
        notebook.facts[browser.name] = "not probed"
        return
    notebook.facts[browser.name] = version
    enter(notebook, browser, version, results)


def latencies(profile: Profile, link: str, quantile: str = "p99") -> dict[str, tuple[Interval, int]]:
    """Of one link, by technique: the figure with its bounds, and of how many samples. What a browser measured within
    one page is no part of the race, and is left out."""
    found = {}
    for technique in TECHNIQUES:
        figure = profile.figures.get(f"latency/{technique}/{link}/{quantile}")
        if figure is not None and figure.low is not None and figure.high is not None:
            found[technique] = (Interval(figure.value, figure.low, figure.high), figure.samples)
    return found


def rankings(profile: Profile, *, enough: int = ENOUGH) -> dict[str, list[list[str]]]:
    """By link: who is first, second and so on by p99; those inside of each other's noise are in one group. Links in
    which nobody has enough samples are left out."""
    found = {}
    for link in LINKS:
        entries = latencies(profile, link)
        standings = rank(
            {name: interval for name, (interval, _) in entries.items()},
            {name: samples for name, (_, samples) in entries.items()},
            enough=enough,
        )
        places = sorted({each.place for each in standings if each.place})
        if places:
            found[link] = [[each.name for each in standings if each.place == place] for place in places]
    return found


def page(profile: Profile) -> str:
    """All of it as a page that needs nothing else."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in profile.facts.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>wirehop lab report</title>\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<style>{STYLE}</style></head>\n<body><h1>wirehop lab report</h1>\n<dl>{facts}</dl>\n"
        f'<h2 id="races">Races</h2>\n{_ranks(profile)}\n<div class="plots">{_plots(profile)}</div>\n'
        f"{render_html(profile)}</body></html>\n"
    )


def _ranks(profile: Profile) -> str:
    """A line for each link, or why there is none."""
    found = rankings(profile)
    if not found:
        return f"<p>Nobody is ranked: that takes {ENOUGH:,} samples of each.</p>"
    rows = []
    for link, groups in found.items():
        said = "no difference seen" if len(groups) == 1 else "; then ".join(", ".join(group) for group in groups)
        rows.append(f"<tr><th>{escape(PRESETS[link].title)}</th><td>{escape(said)}</td></tr>")
    return (
        "<p>By the 99th percentile; those whose intervals of 95 % overlap are not told apart.</p>"
        f'<table class="ranks"><tr><th>link</th><th>from the lowest on</th></tr>{"".join(rows)}</table>'
    )


def _plots(profile: Profile) -> str:
    pictures = []
    for link in LINKS:
        bars = [
            svg.Bar(f"{technique} {quantile}", figure.value, is_ours=quantile == "p50")
            for technique in TECHNIQUES
            for quantile in ("p50", "p99")
            if (figure := profile.figures.get(f"latency/{technique}/{link}/{quantile}")) is not None
        ]
        if bars:
            pictures.append(svg.bars(f"Latency in ms, one way: {PRESETS[link].title}", bars))
    for title, name in PLOTS:
        bars = [
            svg.Bar(technique, value, is_ours=True)
            for technique in TECHNIQUES
            if (value := profile.value(name.format(technique))) is not None
        ]
        if bars:
            pictures.append(svg.bars(title, bars))
    return "\n".join(pictures)


def run_report(plan: Plan, browsers: Sequence[Browser], say: Say) -> Profile:
    """`make_profile` on a loop of its own."""
    return asyncio.run(make_profile(plan, browsers, say))
