"""The profile that comes with wirehop: names of the contract, figures that say how they came about."""

import re
from datetime import date
from pathlib import Path

import msgspec
import pytest

from wirehop.lab.measure import programs
from wirehop.lab.measure.notebook import Notebook
from wirehop.lab.measure.samples import Interval
from wirehop.lab.measure.suite import LINKS, new_notebook
from wirehop.lab.report import page
from wirehop.measured import TECHNIQUES, Profile, load_profile

TECHNIQUE = f"(?:{'|'.join(TECHNIQUES)})"
LINK = f"(?:{'|'.join(LINKS)})"
BROWSER = "(?:chromium|firefox)"
NAMES = re.compile(
    "|".join(
        (
            f"first/{TECHNIQUE}/(?:new|warm)",
            f"latency/{TECHNIQUE}/{LINK}/p(?:50|95|99)",
            f"missed/{TECHNIQUE}/{LINK}",
            f"bytes/{TECHNIQUE}/(?:down|up)/(?:20|200|2000)",
            f"head/{TECHNIQUE}(?:/{BROWSER})?",
            f"(?:idle|rate|resume|dead|memory|cpu|fanout|largest)/{TECHNIQUE}",
            f"reconnect/{TECHNIQUE}/{BROWSER}",
            f"limit/{TECHNIQUE}/http[12]/{BROWSER}",
            f"can/[a-z0-9-]+/{TECHNIQUE}(?:/{BROWSER})?",
            f"lines/(?:server|browser|python)/{TECHNIQUE}",
        )
    )
)
OWN = load_profile()


def test_names_are_those_of_the_contract() -> None:
    assert [name for name in OWN.figures if not NAMES.fullmatch(name)] == []
    assert len(OWN.figures) > 500


def test_every_figure_says_how_and_where_and_when() -> None:
    for name, figure in OWN.figures.items():
        assert figure.method, name
        assert figure.where, name
        assert date(2026, 11, 1) <= date.fromisoformat(figure.date), name
        if figure.low is not None and figure.high is not None:
            assert figure.low <= figure.value <= figure.high, name


@pytest.mark.parametrize("link", LINKS)
def test_races_have_a_thousand_samples(link: str) -> None:
    for technique in ("websocket", "sse", "sse-post", "stream", "long-poll", "short-poll", "jsonp"):
        sent = OWN.figures[f"missed/{technique}/{link}"]
        assert sent.samples >= 1000
        assert OWN.figures[f"latency/{technique}/{link}/p99"].samples + sent.value == sent.samples


def test_facts_name_no_host_and_no_path() -> None:
    assert {"processor", "cores", "python", "wirehop", "date"} <= OWN.facts.keys()
    assert not any("/" in text for text in OWN.facts.values())


def test_lines_are_those_of_the_examples() -> None:
    counted = programs.counted()
    assert {name: figure.value for name, figure in OWN.figures.items() if name.startswith("lines/")} == {
        name: float(lines) for name, (lines, _) in counted.items()
    }


def test_comments_and_empty_lines_do_not_count() -> None:
    assert programs.lines_of("a = 1\n\n# a comment\n  b = 2  # with one behind\n") == 2
    assert programs.lines_of_page("<p>\n<script>\n  // so\n  a();\n\n  b();\n</script>\n<p>\n") == 2


def test_without_examples_lines_are_inherited(tmp_path: Path) -> None:
    assert programs.counted(tmp_path) == {}
    assert programs.inherited().keys() == {name for name in OWN.figures if name.startswith("lines/")}


def test_a_notebook_keeps_bounds_and_becomes_a_profile() -> None:
    notebook: Notebook = new_notebook()
    notebook.enter("latency/sse/rtt0/p99", Interval(12.34567, 10.0, 15.0), "ms", samples=1000, method="a test")
    read = msgspec.json.decode(msgspec.json.encode(notebook.profile()), type=Profile)
    figure = read.figures["latency/sse/rtt0/p99"]
    assert (figure.value, figure.low, figure.high, figure.samples) == (12.35, 10.0, 15.0, 1000)


def test_the_page_has_plots_tables_and_ranks() -> None:
    text = page(OWN)
    assert text.count("<svg") >= 10
    assert 'class="ranks"' in text
    assert 'id="technical-features"' in text
    assert "Chromium" in text
    assert "Nobody is ranked" in page(Profile())
