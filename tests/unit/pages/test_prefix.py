"""Every address in the pages is relative: they work wherever the server is mounted."""

import re
import warnings
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest
from starlette.applications import Starlette

from wirehop.mount import AsgiApp
from wirehop.pages import STATIC
from wirehop.pages.app import demo_node
from wirehop.settings.dev import dev

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # which HTTP library it would rather have
    from starlette.testclient import TestClient

SITE = "http://localhost"
PAGES = ("", "admin/", "lab/", "split/")
_IN_HTML = re.compile(r"""\s(?:href|src|action)=["']([^"'#]*)["']""")
_IN_SCRIPT = re.compile(
    r"""new URL\("([\w./-]+\.css)", import\.meta\.url\)|(?:\bfrom\s+|\bimport\s*\(?\s*)["']([^"']+)["']"""
    r"""|(?:fetch|EventSource)\(["'`]([^"'`$]*)"""
)
_IN_STYLE = re.compile(r"""url\(["']?([^"')]+)""")
_ABSOLUTE = re.compile(r"""["'`]/(?!min")[a-z]{2,}|location\.(?:origin|host|pathname)""")
"""A text that begins with a slash (and is no unit), or the server taken to begin where the host does."""


def application() -> AsgiApp:
    return AsgiApp(demo_node(dev()), Starlette(), prefix="/below/rt")


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(application(), base_url=SITE) as client:
        yield client


def addresses(kind: str, text: str) -> set[str]:
    """What a file loads or links to."""
    patterns = {"text/html": _IN_HTML, "text/javascript": _IN_SCRIPT, "text/css": _IN_STYLE}
    pattern = patterns.get(kind)
    found = pattern.findall(text) if pattern else []
    return {next(filter(None, each), "") if isinstance(each, tuple) else each for each in found}


def test_every_address_in_the_pages_resolves_below_the_prefix_and_is_there(client: TestClient) -> None:
    todo = [f"{SITE}/below/rt/{page}" for page in PAGES]
    seen: set[str] = set()
    while todo:
        place = todo.pop()
        if place in seen or "/admin/api/" in place:
            continue
        seen.add(place)
        assert place.startswith(f"{SITE}/below/rt/"), place
        answer = client.get(place, follow_redirects=False)
        assert answer.status_code == 200, place
        kind = answer.headers["content-type"].partition(";")[0]
        for address in addresses(kind, answer.text):
            assert not address.startswith("/"), f"{place} has {address}"
            todo.append(urljoin(place, address).partition("?")[0])
    names = {urlsplit(each).path.removeprefix("/below/rt/") for each in seen}
    files = {each.relative_to(STATIC).as_posix() for each in STATIC.rglob("*") if each.is_file()}  # type: ignore[attr-defined]
    files |= {"sdk/wirehop.js", "sdk/wirehop.shared.js", "sdk/wirehop.rtc.js"}
    assert names == {each.removesuffix("index.html") for each in files}, "a file that no page leads to, or nothing"


def test_no_script_makes_an_address_that_begins_at_the_host() -> None:
    for file in STATIC.rglob("*.js"):  # type: ignore[attr-defined]
        for line in file.read_text(encoding="utf-8").splitlines():
            assert line.startswith("//") or not _ABSOLUTE.search(line), (file.name, line)


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("/below/rt", "/below/rt/"),
        ("/below/rt?wire=sse", "/below/rt/?wire=sse"),
        ("/below/rt/chat?wire=sse", "/below/rt/chat/?wire=sse"),
        ("/below/rt/admin", "/below/rt/admin/"),
    ],
)
def test_a_page_without_its_slash_leads_to_it_also_where_a_proxy_has_added_a_prefix(
    client: TestClient, asked: str, place: str
) -> None:
    answer = client.get(asked, follow_redirects=False)
    assert answer.status_code in (301, 307)
    location = answer.headers["location"]
    assert urljoin(f"{SITE}{asked}", location) == f"{SITE}{place}"
    assert urljoin(f"{SITE}/of/a/proxy{asked}", location) == f"{SITE}/of/a/proxy{place}"
