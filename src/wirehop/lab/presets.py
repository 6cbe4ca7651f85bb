"""Links by name: what people sit behind, and the measuring links of the tables.

Values and no behaviour. Times are one way, as a message meets them; a round trip is twice as long.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from wirehop.checker.faults import (
    Bandwidth,
    BlockUdp,
    BufferStreams,
    CutIdle,
    Delay,
    Fault,
    GzipStreams,
    Handshake,
    Inspect,
    Loss,
    StripUpgrade,
)

PROXIES: Final[Mapping[str, tuple[Fault, ...]]] = {
    "": (),
    "buffering": (BufferStreams(32, seconds=5.0),),
    "idle-cut": (CutIdle(60.0),),
    "strip-upgrade": (StripUpgrade(),),
    "gzip": (GzipStreams(),),
    "block-udp": (BlockUdp(),),
    "inspecting": (Inspect(),),
}
"""The six bad proxies, and none."""


class Conditions(Struct, frozen=True):
    """A link: `delay` and `jitter` in milliseconds one way, `loss` as a share, `down` and `up` in bytes a second (0: no
    limit), `queue` in bytes; one of `PROXIES`; every `tunnel_every` seconds nothing passes for `tunnel_seconds`."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    down: int = 0
    up: int = 0
    queue: int = 65_536
    proxy: str = ""
    tunnel_every: float = 0.0
    tunnel_seconds: float = 0.0

    def faults(self) -> tuple[Fault, ...]:
        """What makes such a link. Raises `KeyError` for a proxy that there is none of."""
        found: list[Fault] = [*PROXIES[self.proxy]]
        if self.delay or self.jitter:
            found += [Delay(self.delay / 1000, self.jitter / 1000), Handshake()]
        if self.loss:
            found.append(Loss(self.loss))
        if self.down or self.up:
            found.append(Bandwidth(self.down, self.up, self.queue))
        return tuple(found)


class Preset(Struct, frozen=True):
    """A link that has a name. `what` in a few words."""

    title: str
    what: str
    link: Conditions


MBIT: Final = 125_000

PRESETS: Final[Mapping[str, Preset]] = {
    "office": Preset("Office", "a good line", Conditions(delay=5, jitter=1, down=100 * MBIT, up=40 * MBIT)),
    "4g": Preset("4G", "a phone that stands still",
                 Conditions(delay=30, jitter=12, loss=0.002, down=20 * MBIT, up=8 * MBIT, queue=262_144)),
    "train": Preset("Train", "a phone at 200 km/h: lost packets, and a tunnel of 3 s twice a minute",
                    Conditions(delay=50, jitter=30, loss=0.02, down=4 * MBIT, up=MBIT, queue=262_144,
                               tunnel_every=30, tunnel_seconds=3)),
    "hotel": Preset("Hotel Wi-Fi", "a line for everybody, and a queue that is long",
                    Conditions(delay=40, jitter=25, loss=0.015, down=2 * MBIT, up=MBIT // 2, queue=524_288)),
    "satellite": Preset("Satellite", "36,000 km up and down",
                        Conditions(delay=300, jitter=15, loss=0.005, down=10 * MBIT, up=2 * MBIT, queue=524_288)),
    "company": Preset("Company proxy", "a proxy that reads everything and lets no WebSocket through",
                      Conditions(delay=8, jitter=2, down=50 * MBIT, up=20 * MBIT, proxy="inspecting")),
    "rtt0": Preset("Round trip 0", "nothing in the way", Conditions()),
    "rtt20": Preset("Round trip 20 ms", "the same country", Conditions(delay=10)),
    "rtt100": Preset("Round trip 100 ms", "the other side of the ocean", Conditions(delay=50)),
    "rtt300": Preset("Round trip 300 ms", "the other side of the world", Conditions(delay=150)),
    "loss1": Preset("1 % lost", "round trip 40 ms", Conditions(delay=20, loss=0.01)),
    "loss5": Preset("5 % lost", "round trip 40 ms", Conditions(delay=20, loss=0.05)),
    "loss20": Preset("20 % lost", "round trip 40 ms", Conditions(delay=20, loss=0.2)),
}  # fmt: skip
"""By name; those that begin with `rtt` and `loss` are the links of the tables."""
