"""Pictures of the call for the documentation; without WIREHOP_PICTURES=1 they go to a temporary place."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..e2e.servers import Server
from ..e2e.test_pictures import DESKTOP, KEPT, PHONE, REWRITES, look, overflow, take
from .browsers import Browsers
from .calling import Caller, enter
from .netns import Namespace
from .sites import serving

PORT = 8011
MOST_BYTES = 220_000  # pictures of pictures
NAMES = ("Maya Chen", "Jonas", "Priya Nair", "Tomas")


@pytest.fixture(scope="module")
def server(namespace: Namespace, files: Path) -> Iterator[Server]:
    with serving(namespace, PORT, "--dev", log=files / "pictures.log") as each:
        yield each


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return KEPT if REWRITES else tmp_path


def show(caller: Caller, place: Path, name: str, size: dict[str, int], scheme: str = "light") -> None:
    caller.page.set_viewport_size(size)  # type: ignore[arg-type]
    look(caller.page, scheme)
    caller.page.bring_to_front()
    assert overflow(caller.page) <= 0
    take(caller.page, place, name, size, most_bytes=MOST_BYTES)


def test_pictures_of_the_call(browsers: Browsers, namespace: Namespace, server: Server, place: Path) -> None:
    context = browsers.chromium_in(namespace).new_context(viewport=DESKTOP, locale="en-GB", reduced_motion="reduce")
    try:
        callers = [enter(context, server.url, name, "launch") for name in NAMES]
        first, second, *_ = callers
        first.page.get_by_test_id("preflight").click()
        first.wait("document.querySelector('[data-testid=preflight-steps]').dataset.result === 'ok'")
        show(first, place, "call-lobby.png", DESKTOP)
        show(first, place, "call-lobby-phone.png", PHONE)
        first.page.set_viewport_size(DESKTOP)
        for caller in (first, second):
            caller.join()
        first.watches(second.name)
        show(first, place, "call-two.png", DESKTOP)
        show(second, place, "call-phone.png", PHONE)
        for caller in callers[2:]:
            caller.join()
        callers[2].press("camera")
        callers[3].press("microphone")
        for caller in callers[1:]:
            first.sees(caller.name, state="connected")
        first.sees(callers[2].name, picture="false")
        first.sees(callers[3].name, muted="true", picture="true")
        first.watches(callers[3].name)
        for scheme in ("light", "dark"):
            show(first, place, f"call-{scheme}.png", DESKTOP, scheme)
    finally:
        context.close()
