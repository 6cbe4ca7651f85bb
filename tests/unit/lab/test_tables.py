"""The tables: every cell has its proof or says that it is not known."""

import ast
import csv
import io
import re
import sys
import xml.etree.ElementTree as ET
from datetime import date
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
from msgspec import structs

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside this one: tests are no package

from profiles import DATE, METHOD, WHERE, full_profile

from wirehop.lab.presets import PRESETS, PROXIES
from wirehop.lab.tables import FORMATS, as_json, make_tables, render_html, schema
from wirehop.lab.tables.advantages import ABILITIES, COMPARED, COUNTED, FACTS, arguments
from wirehop.lab.tables.catalogue import LINES, ROWS, delivery, network
from wirehop.lab.tables.cells import NOT_KNOWN, UNKNOWN, Cell, Kind, cited
from wirehop.lab.tables.claims import CLAIMS
from wirehop.lab.tables.document import Tables
from wirehop.lab.tables.lines import fact_line, measured_line
from wirehop.lab.tables.markdown import advantages_page, comparison_page, readme_block
from wirehop.lab.tables.sources import RFC6455
from wirehop.lab.tables.titles import TITLES
from wirehop.measured import TECHNIQUES, Profile, load_profile

ROOT = Path(__file__).parents[3]
EMPTY = Profile()
FULL = full_profile()
PROFILES_BY_NAME = {"empty": EMPTY, "full": FULL, "own": load_profile()}
PROFILES = pytest.mark.parametrize("name", PROFILES_BY_NAME)
FOUND = {Kind.MEASURED, Kind.PROBED}
EXPECTED_SCENARIOS = {
    *("instant messaging", "collaborative documents", "market data", "multiplayer games", "iot", "danmaku"),
    *("ai ", "notifications", "log", "news feed", "monitoring displays", "collaboration status"),
    *("calls", "remote assistance", "live stream", "file transfer", "data channel", "camera"),
}


@cache
def tables_of(name: str) -> Tables:
    """Made once: what an advisor is asked for them takes time."""
    return make_tables(PROFILES_BY_NAME[name])


@pytest.fixture
def full() -> Tables:
    return tables_of("full")


@pytest.fixture
def empty() -> Tables:
    return tables_of("empty")


# ---- the catalogue

CATALOGUE = (
    *("P", "P", "MP", "M", "M", "M", "M", "MP", "M", "B", "M", "M", "B", "B", "M", "M"),
    *("M", "B", "B", "B", "B", "B", "CB", "DM", "DM", "M", "M", "P", "P", "C", "M", "C"),
)
"""Which proof each of the 32 rows needs."""


def test_every_row_of_the_catalogue_has_lines_and_every_line_all_techniques(full: Tables) -> None:
    assert list(ROWS) == list(range(1, 33))
    assert {line.row for line in LINES} == set(ROWS)
    assert len({line.id for line in LINES}) == len(LINES)
    assert list(TITLES) == list(TECHNIQUES)
    for row in full.technical:
        assert list(row.cells) == list(TECHNIQUES)


def test_what_is_measured_or_probed_is_never_cited_and_never_written_by_hand() -> None:
    for line in LINES:
        if line.kinds & FOUND:
            assert line.kinds <= FOUND
            assert all(line.cell(EMPTY, technique) == UNKNOWN for technique in TECHNIQUES), line.id
    with pytest.raises(ValueError, match="not for this line"):
        structs.replace(fact_line("x", 4, "x", {"sse": cited("1 ms", RFC6455)}), kinds=frozenset(FOUND)).cell(
            FULL, "sse"
        )


def test_a_row_that_is_to_be_measured_or_probed_has_no_citation() -> None:
    for line in LINES:
        wanted = CATALOGUE[line.row - 1]
        if set(wanted) & {"M", "B"} and "C" not in wanted:
            kinds = {line.cell(FULL, technique).kind for technique in TECHNIQUES}
            assert Kind.CITED not in kinds, line.id
    for number, wanted in enumerate(CATALOGUE, 1):
        taken = {kind for line in LINES if line.row == number for kind in line.kinds}
        assert set(wanted) <= {str(kind) for kind in taken}, number


@PROFILES
def test_a_measured_cell_has_a_method_a_place_and_a_date(name: str) -> None:
    profile = PROFILES_BY_NAME[name]
    for line in LINES:
        for technique in TECHNIQUES:
            cell = line.cell(profile, technique)
            if cell.kind in FOUND:
                assert cell.notes
                for note in cell.notes:
                    assert note.kind is cell.kind
                    assert re.search(r"\d{4}-\d{2}-\d{2}", note.text), (line.id, technique, note)


def test_a_cell_with_a_figure_missing_is_not_known() -> None:
    line = next(line for line in LINES if line.id == "latency-rtt100")
    assert line.cell(FULL, "sse").kind is Kind.MEASURED
    figures = {name: each for name, each in FULL.figures.items() if name != "latency/sse/rtt100/p95"}
    assert line.cell(Profile(figures=figures), "sse") == UNKNOWN


def test_a_line_that_need_not_be_is_there_when_something_is_known(empty: Tables, full: Tables) -> None:
    shown = [{row.id for row in tables.technical} for tables in (empty, full)]
    assert shown[1] - shown[0] == {line.id for line in LINES if line.is_optional}
    assert shown[1] == {line.id for line in LINES}
    assert {row.row for row in empty.technical} == set(ROWS)


def test_a_footnote_says_everything() -> None:
    line = measured_line("x", 4, "x", ["latency/{technique}/rtt0/p50"])
    (note,) = line.cell(FULL, "sse").notes
    assert note.text == f"{METHOD}; {WHERE}; 1,200 samples; {DATE}"


def proved_cells() -> list[tuple[str, str, Cell]]:
    cells = [(line.id, technique, line.cell(EMPTY, technique)) for line in LINES for technique in TECHNIQUES]
    return [each for each in cells if each[2].kind is Kind.PROVED]


def functions_of(path: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_a_cell_names_is_there_and_runs() -> None:
    named = {test for _, _, cell in proved_cells() for test in cell.tests}
    assert len(named) > 15
    for test in sorted(named):
        path, _, name = test.partition("::")
        function = functions_of(ROOT / path).get(name)
        assert function is not None, test
        marks = [ast.unparse(mark) for mark in function.decorator_list]
        assert not any(word in mark for mark in marks for word in ("skip", "xfail")), test


def test_every_proved_cell_names_a_test_and_every_cited_one_a_source_with_its_date() -> None:
    assert proved_cells()
    for line_id, technique, cell in proved_cells():
        assert cell.tests, (line_id, technique)
    for line in LINES:
        for technique in TECHNIQUES:
            cell = line.cell(EMPTY, technique)
            if cell.kind is Kind.CITED:
                assert cell.notes
                for note in cell.notes:
                    assert note.url.startswith("https://"), note
                    assert re.search(r", \d{4}-\d{2}(-\d{2})?$", note.text), note


def test_every_figure_of_the_own_profile_is_in_some_cell() -> None:
    profile = load_profile()

    class Read(dict[str, object]):
        used: ClassVar[set[str]] = set()

        def __getitem__(self, name: str) -> object:
            self.used.add(name)
            return super().__getitem__(name)

    read = Read(profile.figures)
    for line in LINES:
        for technique in TECHNIQUES:
            line.cell(Profile(figures=read), technique)  # type: ignore[arg-type]
    assert sorted(set(profile.figures) - read.used) == []


# ---- scenarios and claims


def test_every_scenario_is_in_the_table(full: Tables) -> None:
    titles = [each.title.lower() + " " for each in full.scenarios]
    assert len(titles) == 18
    for words in EXPECTED_SCENARIOS:
        assert any(words in title for title in titles), words
    for each in full.scenarios:
        assert each.first
        assert each.why
    assert {each.demo for each in full.scenarios} >= {"chat/", "monitor/", "call/", "assist/"}


def test_every_rule_that_a_scenario_names_is_explained(full: Tables) -> None:
    explained = set(re.findall(r'<a id="([^"]+)">', (ROOT / "docs" / "advisor.md").read_text(encoding="utf-8")))
    assert {rule.lower() for each in full.scenarios for rule in each.why} <= explained


def test_lines_of_links_and_proxies_are_those_of_the_lab() -> None:
    assert set(network.PROXIES) == {name for name in PROXIES if name}
    assert {*delivery.LINKS, *delivery.LOSSES, *delivery.PLACES} == set(PRESETS)


def test_without_figures_a_scenario_has_none(empty: Tables) -> None:
    assert {each.p99 for each in empty.scenarios} == {NOT_KNOWN}
    assert {each.bytes_per_minute for each in empty.scenarios} == {NOT_KNOWN}


def test_every_claim_names_cells_that_are_there_its_source_and_a_date(full: Tables) -> None:
    lines = {line.id for line in LINES}
    for claim, answered in zip(CLAIMS, full.claims, strict=True):
        assert {line for line, _ in claim.cells} <= lines
        assert {technique for _, technique in claim.cells} <= set(TECHNIQUES)
        assert claim.source.title
        assert date.fromisoformat(claim.source.date)
        assert claim.source.url.startswith(("https://", "http://www.nxmr.cn/"))
        assert answered.found, claim.id


def test_a_claim_about_what_was_not_measured_is_not_known(empty: Tables) -> None:
    answered = {each.id: each for each in empty.claims}
    assert answered["latency-datastream"].found == ()
    assert "| not known |" in comparison_page(empty)


# ---- advantages


def test_no_line_rests_on_a_cell_that_is_not_known() -> None:
    cells = {line.id: {technique: line.cell(EMPTY, technique) for technique in TECHNIQUES} for line in LINES}
    better = {line.id: line.better for line in LINES}
    for each in arguments(cells, better):
        assert cells[each.line][each.technique].is_known
    assert not {each.line for each in arguments(cells, better)} & set(ABILITIES)


def test_arguments_speak_of_lines_that_are_there() -> None:
    lines = {line.id: line for line in LINES}
    assert set(ABILITIES) | set(COUNTED) | set(COMPARED) | {line for *_, line in FACTS} <= set(lines)
    for name in COMPARED:
        assert lines[name].better, name


def test_a_figure_is_an_argument_only_where_it_is_far_from_the_others() -> None:
    def said(values: list[float]) -> dict[str, str]:
        cells = {line.id: dict.fromkeys(TECHNIQUES, UNKNOWN) for line in LINES}
        measured = {name: Cell("x", Kind.MEASURED, (), value) for name, value in zip(TECHNIQUES, values, strict=False)}
        cells["idle"] = {**cells["idle"], **measured}
        better = {line.id: line.better for line in LINES}
        return {each.technique: each.side for each in arguments(cells, better) if each.line == "idle"}

    assert said([100, 100, 100, 140]) == {}
    assert said([100, 100, 100, 150, 50]) == {"sse": "disadvantage", "sse-post": "advantage"}
    assert said([100, 100, 1]) == {}  # too few to have a middle
    assert said([0, 0, 0, 0]) == {}


def test_a_count_speaks_for_where_it_is_none_and_against_where_it_is_some() -> None:
    cells = {line.id: dict.fromkeys(TECHNIQUES, UNKNOWN) for line in LINES}
    cells["resume"] |= {"sse": Cell("0 of 9", Kind.MEASURED, (), 0.0), "jsonp": Cell("2 of 9", Kind.MEASURED, (), 2.0)}
    said = arguments(cells, {line.id: line.better for line in LINES})
    assert [(each.technique, each.side, each.says) for each in said] == [
        ("sse", "advantage", "0 of 9"),
        ("jsonp", "disadvantage", "2 of 9"),
    ]


def test_what_all_can_speaks_for_nobody() -> None:
    cells = {line.id: dict.fromkeys(TECHNIQUES, UNKNOWN) for line in LINES}
    better = {line.id: line.better for line in LINES}
    cells["text"] |= dict.fromkeys(["sse", "jsonp"], Cell("yes", Kind.PROBED))
    cells["binary"] |= dict.fromkeys(["sse", "jsonp"], Cell("no", Kind.PROBED))
    cells["resume"] |= dict.fromkeys(["sse", "jsonp"], Cell("0 of 9", Kind.MEASURED, (), 0.0))
    assert arguments(cells, better) == ()
    cells["binary"]["sse"] = Cell("yes", Kind.PROBED)
    assert [(each.technique, each.side) for each in arguments(cells, better)] == [
        ("sse", "advantage"),
        ("jsonp", "disadvantage"),
    ]


def test_an_ability_speaks_for_or_against(full: Tables) -> None:
    said = {(each.technique, each.text): each.side for each in full.arguments}
    rows = {row.id: row for row in full.technical}
    found = 0
    for line, (good, bad) in ABILITIES.items():
        for technique, entry in rows[line].cells.items():
            assert ((technique, good) in said) == (entry.text == "yes" and bool(good)), (line, technique)
            assert ((technique, bad) in said) == (entry.text == "no" and bool(bad)), (line, technique)
            found += entry.text in ("yes", "no")
    assert found > 50


@PROFILES
def test_every_link_of_the_advantages_leads_to_the_cell_that_proves_it(name: str) -> None:
    tables = tables_of(name)
    page, target = advantages_page(tables), comparison_page(tables)
    links = re.findall(r"^- \*\*[+−]\*\* .+: \[(.+)\]\(comparison\.md#(.+)\)$", page, re.MULTILINE)
    assert len(links) == len(tables.arguments) > 30
    for says, anchor in links:
        (there,) = re.findall(rf'<a id="{re.escape(anchor)}"></a>(.*?)(?: <sup>| \|)', target)
        assert there == says


# ---- formats


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        href = given.get("href") or ""
        if href.startswith("#"):
            self.targets.append(href[1:])


@PROFILES
def test_every_link_inside_of_the_html_has_its_place(name: str) -> None:
    links = Links()
    links.feed(render_html(PROFILES_BY_NAME[name]))
    assert len(links.ids) == len(set(links.ids))
    assert set(links.targets) <= set(links.ids)
    assert len(links.targets) > 100


def test_every_link_inside_of_the_markdown_has_its_place(full: Tables) -> None:
    text = comparison_page(full)
    ids = re.findall(r'<a id="([^"]+)">', text)
    headings = {
        re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= {*ids, *headings}


def test_rows_of_markdown_have_as_many_cells_as_their_heads(full: Tables) -> None:
    for text in (comparison_page(full), readme_block(full)):
        for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(widths) == 1, block[:200]


def test_the_schema_is_the_committed_one() -> None:
    committed = ROOT / "src" / "wirehop" / "lab" / "tables" / "schema.json"
    assert committed.read_text(encoding="utf-8") == schema(), "run scripts/docs"


def test_json_is_what_the_schema_says(full: Tables) -> None:
    assert msgspec.json.decode(as_json(full), type=Tables) == full


def test_a_sheet_has_a_line_for_each_cell(full: Tables) -> None:
    lines = list(csv.DictReader(io.StringIO(FORMATS["csv"].write(full))))
    technical = {(line["id"], line["column"]): line for line in lines if line["table"] == "technical"}
    assert len(technical) == len(LINES) * len(TECHNIQUES)
    for row in full.technical:
        for technique, entry in row.cells.items():
            line = technical[row.id, technique]
            assert line["text"] == entry.text
            assert bool(line["proof"]) == (entry.kind is not None)
    assert {line["table"] for line in lines} == {"technical", "scenarios", "claims"}


def test_a_drawing_is_svg_with_everything_in_it(full: Tables) -> None:
    drawing = ET.fromstring(FORMATS["svg"].write(full))
    bottom = float(drawing.attrib["height"])
    texts = [each for each in drawing.iter() if each.tag.endswith("text")]
    assert max(float(each.attrib["y"]) for each in texts) < bottom
    said = " ".join(each.text or "" for each in texts)
    for number, heading in ROWS.items():
        assert f"{number}. {heading}" in said


@PROFILES
def test_numbers_of_footnotes_are_those_of_the_list(name: str) -> None:
    tables = tables_of(name)
    for row in tables.technical:
        for entry in row.cells.values():
            assert (entry.text == NOT_KNOWN) == (entry.kind is None) == (not entry.notes)
            for number in entry.notes:
                assert tables.notes[number - 1].kind is entry.kind
