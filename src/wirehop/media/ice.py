"""The ICE servers of a room, asked with `rtc.ice`, as aiortc takes them: one STUN and one TURN server at a time.

Always a list, also an empty one: without it aiortc would ask a public server. Each further attempt takes the next TURN
URL, so that where UDP is blocked TCP has its turn, and then TLS.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceServer
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from aiortc.rtcicetransport import parse_stun_turn_uri
from msgspec import Struct

Policy = Literal["all", "relay"]
FRESH_UNTIL = 0.5
"""Of the life of credentials; older ones are not good enough to begin a connection with."""


class _Server(Struct):
    urls: list[str]
    username: str = ""
    credential: str = ""


class IceAnswer(Struct):
    """What `rtc.ice` answers; `ttl` in seconds."""

    ice_servers: list[_Server]
    ttl: float
    policy: Policy = "all"


class IceServers:
    """`ask` asks the server. `skipped` counts URLs that aiortc cannot use (IPv6 addresses)."""

    def __init__(self, ask: Callable[[], Awaitable[IceAnswer]], clock: Callable[[], float], policy: Policy) -> None:
        self.skipped = 0
        self._ask = ask
        self._clock = clock
        self._policy = policy
        self._answer: IceAnswer | None = None
        self._got = 0.0

    async def fresh(self) -> None:
        """Return when the credentials are good for a while. Raises what `ask` raises."""
        if self._answer is None or self._clock() - self._got > self._answer.ttl * FRESH_UNTIL:
            self._answer, self._got = await self._ask(), self._clock()

    def configuration(self, attempt: int) -> RTCConfiguration:
        """For the attempt of that number, from 0: from 1 on only by relays, if there are any."""
        answer = self._answer or IceAnswer([], 0.0)
        usable = [(url, server) for server in answer.ice_servers for url in server.urls if self._is_usable(url)]
        stun = [(url, server) for url, server in usable if url.startswith("stun:")]
        turn = [(url, server) for url, server in usable if url.startswith("turn")]
        is_relay = "relay" in (self._policy, answer.policy) or bool(attempt and turn)
        chosen = stun[:1]
        if turn:
            chosen.append(turn[attempt % len(turn)])
        return RTCConfiguration(
            iceServers=[
                RTCIceServer(url, server.username or None, server.credential or None) for url, server in chosen
            ],
            iceTransportPolicy=RTCIceTransportPolicy.RELAY if is_relay else RTCIceTransportPolicy.ALL,
            bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
        )

    def _is_usable(self, url: str) -> bool:
        try:
            found: dict[str, Any] = parse_stun_turn_uri(url)
        except ValueError:
            self.skipped += 1
            return False
        return bool(found["host"])
