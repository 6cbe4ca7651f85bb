"""The server's part of the lab: links of a page's own, a race over them, breaks, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio
from node_under_test import NAMESPACES as OWN
from node_under_test import Server, running

from wirehop.client import Client, RequestFailed
from wirehop.lab import lab as module
from wirehop.lab.lab import NAMESPACES, Lab, install_lab
from wirehop.lab.race import milliseconds

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[tuple[Server, Lab]]:
    async with running(namespaces={**OWN, **NAMESPACES}) as server, asyncio.timeout(40):
        lab = install_lab(server.node)
        lab.url = f"http://127.0.0.1:{server.port}"
        watching = asyncio.create_task(lab.run(server.node))
        await asyncio.sleep(0)
        yield server, lab
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def test_a_race_comes_whole_over_links_of_the_page_and_is_dissected(lab: tuple[Server, Lab]) -> None:
    wires = ("websocket", "sse", "long-poll")
    async with Client(lab[1].url) as page:
        opened = await page.rpc("lab.open", {"wires": wires})
        assert set(opened["ports"]) == set(wires)
        assert opened == await page.rpc("lab.open", {"wires": wires})
        await page.rpc("lab.link", {"delay": 20})
        got: dict[str, list[int]] = {}

        async def race(wire: str) -> None:
            async with (
                Client(f"http://127.0.0.1:{opened['ports'][wire]}", wire=wire) as client,  # type: ignore[arg-type]
                client.subscribe(f"lab-race:r1-{wire}") as channel,
            ):
                ready.release()
                got[wire] = []
                async for publication in channel:
                    assert milliseconds() - publication.data["at"] >= 19
                    got[wire].append(publication.data["n"])
                    if len(got[wire]) == 105:
                        break
                anatomy = await page.rpc("lab.bytes", {"wire": wire, "number": 99})
                assert {"payload", "envelope"} <= {part["kind"] for part in anatomy["parts"]}

        ready = asyncio.Semaphore(0)
        racing = [asyncio.create_task(race(wire)) for wire in wires]
        for _ in wires:
            await ready.acquire()
        await page.rpc("lab.race", {"id": "r1", "wires": wires, "count": 100, "rate": 200, "warm": 5})
        await asyncio.gather(*racing)
        assert all(numbers == list(range(-5, 100)) for numbers in got.values())
        state = await page.rpc("lab.state")
        assert all(state["traffic"][wire]["down"]["bytes"] > 100 * 200 for wire in wires)
        assert state["counts"]["handshake"] >= 3


@pytest.mark.parametrize("what", ["drop", "roam", "restart"])
async def test_who_is_cut_comes_back_and_misses_nothing(lab: tuple[Server, Lab], what: str) -> None:
    server, _ = lab
    async with Client(lab[1].url) as page:
        port = (await page.rpc("lab.open", {"wires": ["websocket"]}))["ports"]["websocket"]
        async with (
            Client(f"http://127.0.0.1:{port}", wire="websocket", jitter=lambda: 0.0) as client,
            client.subscribe("lab-cut:one") as channel,
        ):
            await server.node.publish("lab-cut:one", 1)
            await page.rpc("lab.break", {"what": what, "sessions": [client.id]})
            await server.node.publish("lab-cut:one", 2)
            seen = []
            async for publication in channel:
                seen.append(publication.data)
                if publication.data == 2:
                    break
        assert seen == [1, 2]


@pytest.mark.parametrize(
    ("method", "data"),
    [("lab.link", {"delay": -1}), ("lab.link", {"loss": 2}), ("lab.link", {"proxy": "polite"}),
     ("lab.link", {"down": 5}), ("lab.link", {"tunnel_every": 5}), ("lab.race", {"id": "a", "wires": []}),
     ("lab.bytes", {"wire": "sse", "number": 1}), ("lab.break", {"what": "everything"}),
     ("lab.ticks", {"id": "a:b"}), ("lab.open", {"wires": ["pigeon"]})],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(lab: tuple[Server, Lab], method: str, data: object) -> None:
    async with Client(lab[1].url) as page:
        if method != "lab.open":
            await page.rpc("lab.open", {"wires": ["sse"]})
        with pytest.raises(RequestFailed):
            await page.rpc(method, data)


async def test_pages_are_bounded_and_forgotten(lab: tuple[Server, Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [Client(lab[1].url) for _ in range(module.PAGES + 1)]
    async with pages[0], pages[1], pages[2], pages[3], pages[4]:
        for page in pages[:-1]:
            await page.rpc("lab.open", {"wires": ["sse"]})
        with pytest.raises(RequestFailed, match="close one"):
            await pages[-1].rpc("lab.open", {"wires": ["sse"]})
        monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
        lab[1].forget_idle()
        with pytest.raises(RequestFailed, match=r"lab\.open"):
            await pages[0].rpc("lab.state")
        await pages[-1].rpc("lab.open", {"wires": ["sse"]})


async def test_a_page_that_was_closed_makes_room(lab: tuple[Server, Lab]) -> None:
    for _ in range(module.PAGES + 2):
        async with Client(lab[1].url) as page:
            await page.rpc("lab.open", {"wires": ["sse"]})
