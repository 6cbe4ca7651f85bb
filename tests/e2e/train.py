"""The link of somebody on a train, as the lab's preset has it: late, uneven, with lost packets, little bandwidth, and a
tunnel now and then."""

import contextlib
import threading
from collections.abc import Iterator

from wirehop.checker.faults import Tunnel
from wirehop.lab.presets import PRESETS

from .impaired import Impaired

FIRST_TUNNEL = 6.0  # seconds: a test does not last long
TRAIN = PRESETS["train"].link


@contextlib.contextmanager
def riding(impaired: Impaired) -> Iterator[None]:
    """Everybody behind it sits on the train, inside of the block."""
    faults = TRAIN.faults()
    arrived = threading.Event()

    def ride() -> None:
        wait = FIRST_TUNNEL
        while not arrived.wait(wait):
            impaired.set(*faults, Tunnel())
            arrived.wait(TRAIN.tunnel_seconds)
            impaired.set(*faults)
            wait = TRAIN.tunnel_every

    impaired.set(*faults)
    thread = threading.Thread(target=ride, name="train", daemon=True)
    thread.start()
    try:
        yield
    finally:
        arrived.set()
        thread.join(10)
