"""The rig itself: the networks are what they say, and a plain call goes the way that theory has it go."""

import socket
import time

import pytest

from .browsers import Browsers
from .calls import PlainCall, check_pictures
from .link import Link
from .natlab import Kind, NatLab
from .netns import Namespace
from .turnservers import TurnServer

NEGATIVE_SECONDS = 4.0
"""How long a call that must not connect is given; those that do take less than a second on an idle machine."""


# ---- the link


def echoes(near: Namespace, far: Namespace, *, count: int, wait: float) -> list[float]:
    """Send so many datagrams there and back, one at a time; the seconds that those took which came back."""
    with near.entered():
        there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        there.bind(("10.77.0.1", 0))
    with far.entered():
        here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken = []
    with there, here:
        there.settimeout(wait)
        here.settimeout(wait)
        for number in range(count):
            begin = time.monotonic()
            here.sendto(b"%d" % number, there.getsockname())
            try:
                data, sender = there.recvfrom(100)
                there.sendto(data, sender)
                here.recv(100)
            except TimeoutError:
                continue
            taken.append(time.monotonic() - begin)
    return taken


def test_a_link_delays_and_loses_and_goes_down_and_up_again(link: Link, namespace: Namespace, far: Namespace) -> None:
    assert len(echoes(namespace, far, count=10, wait=10)) == 10
    link.set(delay=60)
    assert min(echoes(namespace, far, count=5, wait=10)) >= 0.12
    before = link.set(delay=0, down=True)
    assert echoes(namespace, far, count=3, wait=0.2) == []
    assert link.set().lost >= before.lost + 3
    link.set(down=False)
    assert len(echoes(namespace, far, count=10, wait=10)) == 10
    link.set(loss=0.5)
    assert 0 < len(echoes(namespace, far, count=40, wait=0.05)) < 30


def test_a_narrow_link_lets_through_what_it_says(link: Link, namespace: Namespace, far: Namespace) -> None:
    link.set(rate=1000, queue=100_000)
    with namespace.entered():
        there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        there.bind(("10.77.0.1", 0))
        there.settimeout(20)
    with far.entered():
        here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with there, here:
        for _ in range(51):
            here.sendto(bytes(1222), there.getsockname())  # 1250 with headers: 10 ms each
        there.recv(2000)
        begin = time.monotonic()
        for _ in range(50):
            there.recv(2000)
        assert time.monotonic() - begin >= 0.45


# ---- plain calls


def test_two_chromiums(browsers: Browsers, namespace: Namespace, plain_call: PlainCall) -> None:
    place = browsers.chromium_in(namespace)
    call = plain_call([place, place], [])
    assert call.connects()
    assert call.path() == ("host", "host")
    check_pictures(call)


def test_firefox_and_chromium(browsers: Browsers, namespace: Namespace, plain_call: PlainCall) -> None:
    call = plain_call([browsers.firefox(), browsers.chromium_in(namespace)], [])
    assert call.connects()
    check_pictures(call)


# ---- NATs

MATRIX: list[tuple[Kind, Kind, str, set[str] | None]] = [
    # left, right, servers, how the left side's candidate may look; None: they cannot connect
    ("cone", "cone", "stun", {"srflx", "prflx"}),
    ("full", "symmetric", "stun", {"srflx", "prflx"}),
    ("symmetric", "symmetric", "stun", None),
    ("symmetric", "symmetric", "stun udp", {"relay/udp", "prflx", "srflx"}),
    ("udp blocked", "cone", "stun udp tcp", {"relay/tcp"}),
    ("only 443", "cone", "stun udp tcp", None),
    ("only 443", "cone", "stun udp tcp tls", {"relay/tls"}),
    ("only 443", "only 443", "stun udp tcp tls", {"relay/tls"}),
]


@pytest.mark.parametrize(
    ("left", "right", "ways", "expected"),
    [pytest.param(*row, id=f"{row[0]}, {row[1]}, {row[2]}") for row in MATRIX],
)
def test_calls_through_nats(
    left: Kind, right: Kind, ways: str, expected: set[str] | None,
    lab: NatLab, browsers: Browsers, turn: TurnServer, plain_call: PlainCall,
) -> None:  # fmt: skip
    lab.become(left, right)
    places = [browsers.chromium_in(side.client) for side in (lab.left, lab.right)]
    call = plain_call(places, [turn.ice_server("rig", *ways.split())])
    if expected is None:
        assert not call.connects(seconds=NEGATIVE_SECONDS), call.path()
        return
    assert call.connects(), (call.left.errors(), call.right.errors())
    path = call.path()
    assert path[0] in expected
    if (left, right) == ("symmetric", "symmetric"):
        assert "relay/udp" in path
    check_pictures(call)
