"""What an allocation at a TURN server is good for: whether peers can be let in, whether two relayed addresses reach
each other, and whether the network outside reaches one.

    permission   to one's own relayed address, as two participants need it who both have nothing but the relay
    hairpin      from one relayed address to another, and back
    outside      from a plain socket of this machine to the relayed address, and back

It knows a wire to the server. It does not know how that came about.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeVar, cast

from wirehop.doctor import turn_advice as advice
from wirehop.doctor.findings import Finding
from wirehop.doctor.turn_wire import AskError, TurnWire
from wirehop.rtc.pure import stun
from wirehop.rtc.pure.peers import PeerRules
from wirehop.rtc.pure.stun import TRANSACTION_BYTES, Address, BadMessage, Kind, Method

_REPEAT_SECONDS: Final = 0.2
_RULES: Final = PeerRules()
Result = TypeVar("Result")


def examine_address(relay: Address, server: str) -> Finding:
    """Whether peers can send to what the server announces. `server`: the address at which it was asked."""
    kind, around = _RULES.refusal(relay[0]), _RULES.refusal(server)
    if kind and kind != around:
        seen = (
            f"relayed addresses are announced as {relay[0]} ({kind}), but the server is at {server}: no peer finds it"
        )
        return Finding("turn-address", "bad", seen, advice.ADDRESS)
    seen = f"relayed addresses are at {relay[0]}"
    return Finding("turn-address", "ok", f"{seen} ({kind}: not to be reached from elsewhere)" if kind else seen)


async def examine_permission(wire: TurnWire, relay: Address) -> Finding:
    """To oneself."""
    try:
        await wire.permit(relay)
    except AskError as error:
        seen = f"the server lets nothing be relayed to its own relayed address {relay[0]}: {error}"
        return Finding("turn-permission", "bad", seen, advice.PERMISSION if error.code == 403 else advice.FORBIDDEN)
    return Finding("turn-permission", "ok", f"{relay[0]} may be relayed to")


async def examine_hairpin(wire: TurnWire, relay: Address, other: TurnWire, timeout: float) -> Finding:
    """Through the relay and the relay. `other`: a second wire, which has no allocation yet."""
    there, back = secrets.token_bytes(16), secrets.token_bytes(16)
    name = "turn-hairpin"
    try:
        second = await other.allocate()
        await asyncio.gather(wire.permit(second), other.permit(relay))
    except AskError as error:
        return Finding(name, "bad", f"a second allocation cannot be used: {error}", advice_for(error, "udp", relay[1]))
    if not await _until(lambda: wire.send(second, there), other.hears(there, timeout)):
        seen = f"what is sent from the relayed address {_words(relay)} to {_words(second)} does not arrive"
        return Finding(name, "bad", seen, advice.HAIRPIN)
    if not await _until(lambda: other.send(relay, back), wire.hears(back, timeout)):
        return Finding(name, "bad", f"what is sent back to {_words(relay)} does not arrive", advice.HAIRPIN)
    return Finding(name, "ok", "two participants can meet at the relay")


async def examine_outside(wire: TurnWire, relay: Address, server: Address, timeout: float) -> Finding:
    """`server`: where STUN over UDP is answered."""
    name = "turn-outside"
    outsider = await Outsider.open(server)
    try:
        mapped = await outsider.mapped(timeout)
        if mapped is None:
            return Finding(
                name, "warn", "not looked at: STUN does not answer", advice.UDP_BLOCKED.format(port=server[1])
            )
        try:
            await wire.permit(mapped)
        except AskError as error:
            return _not_permitted(name, mapped, relay, error)
        there, back = secrets.token_bytes(16), secrets.token_bytes(16)
        peer = await _until(lambda: outsider.send(relay, there), wire.hears(there, timeout))
        if peer is None:
            seen = f"what is sent to the relayed address {_words(relay)} from {mapped[0]} does not arrive"
            return Finding(name, "bad", seen, advice.RELAY_PORTS)
        if mapped[0] == relay[0]:  # a relay sends to itself inside only, whoever may ask it to
            seen = f"{_words(relay)} is reached from the server's own machine; ask from another one too"
            return Finding(name, "ok", seen)
        if not await _until(partial(wire.send, peer, back), outsider.hears(back, timeout)):
            seen = f"what the relay sends to {_words(peer)} does not arrive"
            return Finding(name, "bad", seen, advice.RELAY_OUT)
        return Finding(name, "ok", f"{_words(relay)} is reached from {mapped[0]}, and answers")
    finally:
        outsider.close()


def _not_permitted(name: str, mapped: Address, relay: Address, error: AskError) -> Finding:
    kind = _RULES.refusal(mapped[0])
    if error.code == 403 and (kind or mapped[0] == relay[0]):
        seen = f"not looked at: nothing is relayed to {mapped[0]} ({kind or 'the server itself'}), as it should be"
        return Finding(name, "ok", f"{seen}. Ask from another network")
    seen = f"the server lets nothing be relayed to {mapped[0]}: {error}"
    change = "take it out of rtc.deny_peers (coturn: denied-peer-ip)" if error.code == 403 else advice.FORBIDDEN
    return Finding(name, "warn", seen, change)


def advice_for(error: AskError, wire: str, port: int) -> str:
    """What to change where an allocation was not granted."""
    if error.code in (401, 438, 441):
        return "see turn-credentials"
    by_code = {403: advice.FORBIDDEN, 440: advice.FAMILY, 486: advice.QUOTA, 508: advice.CAPACITY}
    if error.code:
        return by_code.get(error.code, advice.FORBIDDEN)
    if wire == "udp":
        return (advice.UDP_CLOSED if error.is_closed else advice.UDP_BLOCKED).format(port=port)
    return advice.TCP_OTHER


class Outsider(asyncio.DatagramProtocol):
    """A plain UDP socket: a peer that is nobody's client. 64 datagrams wait at most, more are dropped."""

    def __init__(self, server: Address) -> None:
        self._server = server
        self._heard: asyncio.Queue[bytes] = asyncio.Queue(64)
        self._transport: asyncio.DatagramTransport

    @classmethod
    async def open(cls, server: Address) -> "Outsider":
        """One of the server's family. Raises `OSError`."""
        outsider = cls(server)
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        local = ("::" if ":" in server[0] else "0.0.0.0", 0)  # noqa: S104 - a client's socket
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: outsider, local_addr=local, family=family)
        return outsider

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """From anybody."""
        if not self._heard.full():
            self._heard.put_nowait(data)

    def close(self) -> None:
        """Let go of it."""
        self._transport.abort()

    def send(self, to: Address, data: bytes) -> None:
        """One datagram."""
        self._transport.sendto(data, to)

    async def mapped(self, timeout: float) -> Address | None:
        """Where the server sees this socket; None: it does not answer."""
        request = stun.encode(Method.BINDING, Kind.REQUEST, secrets.token_bytes(TRANSACTION_BYTES))
        return await _until(lambda: self.send(self._server, request), self._mapped(timeout))

    async def hears(self, data: bytes, timeout: float) -> bool:
        """Whether `data` comes."""
        try:
            async with asyncio.timeout(timeout):
                while await self._heard.get() != data:
                    pass
        except TimeoutError:
            return False
        return True

    async def _mapped(self, timeout: float) -> Address | None:
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        message = stun.decode(await self._heard.get())
                    except BadMessage:
                        continue
                    if found := message.address(stun.Attribute.XOR_MAPPED_ADDRESS):
                        return found
        except TimeoutError:
            return None


async def _until(send: Callable[[], None], wait: Coroutine[Any, Any, Result]) -> Result:
    """Send again and again while it is waited for: datagrams get lost."""
    waiting = asyncio.ensure_future(wait)
    try:
        while not waiting.done():
            send()
            await asyncio.wait([waiting], timeout=_REPEAT_SECONDS)
    finally:
        waiting.cancel()
    return await waiting


def _words(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
