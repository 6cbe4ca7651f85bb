"""What the series says to each server is understood: every lane of those that Python and C bring, with a tiny load.

Go, Node and nginx are not needed for the tests, so their servers are left to the series itself.
"""

import shutil
import sys

import pytest
import rig
from series.measure import run_cell, serving_peers
from series.peers import PEERS

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) to build the tools with"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tools use epoll and /proc"),
]

LOAD = (
    *("--connections", 6, "--size", 64, "--warmup", 0.02, "--settle", 0.02, "--duration", 0.1),
    *("--drain", 1, "--connect-limit", 5),
)
MANY = ("--channels", 3, "--each", 2, "--ready-on", '"id":2,"subscribe"')


@pytest.mark.parametrize("name", ["floor", "wirehop", "wirehop-write", "starlette"])
def test_every_lane_of_a_server_works(name: str) -> None:
    peer = PEERS[name]
    if name == "wirehop" and (why := peer.missing()):
        assert "batch sender" in why  # a kernel without io_uring: the other sender is measured
        return
    assert not peer.missing()
    rig.build("load")
    peer.build()
    with serving_peers() as servers:
        for lane, arguments in peer.lanes.items():
            more = MANY if lane == "channels" else ()
            figures = run_cell(servers, peer, (*arguments, *LOAD, *more), is_fresh=False)
            assert "error" not in figures, (lane, figures)
            assert figures["us"] > 0, lane


def test_a_server_that_does_not_start_is_an_error_of_its_cell() -> None:
    rig.build("load")
    broken = type(PEERS["floor"])("broken", "broken", lambda _port: ["false"], lambda: "", {})
    with serving_peers() as servers:
        figures = run_cell(servers, broken, LOAD, is_fresh=False)

    assert "does not accept connections" in figures["error"]
