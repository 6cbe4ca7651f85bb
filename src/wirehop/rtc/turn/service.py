"""The TURN server of a process: opens its sockets, drives the machine, keeps its time, and says what was refused.

    turn = TurnService(settings.rtc, host="127.0.0.1")
    await turn.start(port)                  # UDP on that port, unless the settings name another
    turn.welcome(transport, address, is_tls=False)      # a TCP connection of the host that begins as STUN does
    turn.close()

`_drain` is the one place that does what the machine wants. A client's datagrams go through `lanes` first.
"""

import asyncio
import errno
import logging
import secrets
import socket
import time
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from wirehop.rtc.pure.options import TurnOptions
from wirehop.rtc.pure.outputs import CloseLane, CloseRelay, OpenLane, OpenRelay, Path, Refused, Relay, Send
from wirehop.rtc.pure.peers import PeerRules, is_private
from wirehop.rtc.pure.stun import Address
from wirehop.rtc.pure.turn import TurnServer
from wirehop.rtc.turn.addresses import listening_addresses, own_addresses, relay_addresses
from wirehop.rtc.turn.datagrams import DatagramSender
from wirehop.rtc.turn.lanes import ClientSocket, Lane, Relayed, RelaySocket
from wirehop.rtc.turn.mailbox import HEADER, Mailbox
from wirehop.rtc.turn.ports import RelayPorts, enlarge, send_unfragmented
from wirehop.rtc.turn.readiness import Readiness, readiness
from wirehop.rtc.turn.refusals import RefusalLog
from wirehop.rtc.turn.streams import StreamClient
from wirehop.settings.check import is_loopback
from wirehop.settings.check_rtc import addresses, port_range
from wirehop.settings.tree import Rtc

log = logging.getLogger("wirehop.turn")
_TICK_SECONDS: Final = 1.0
_CLIENT_BUFFER: Final = 4_194_304
_DATA_INDICATION: Final = b"\x00\x17"


class TurnService:
    """The embedded server. `idle_seconds`: how long a TCP connection may be without an allocation. `is_plain`: without
    the system calls that only Linux has; `has_lanes`: with the fast lane; `is_paced`: see `readiness`."""

    def __init__(
        self,
        rtc: Rtc,
        *,
        host: str,
        idle_seconds: float = 10.0,
        is_plain: bool = False,
        has_lanes: bool = True,
        is_paced: bool = True,
    ) -> None:
        self.secret = rtc.secret or secrets.token_urlsafe(32)
        """Of the credentials: that of the settings, or one for this start."""
        self.port = 0
        """Of UDP, once it is open."""
        self.relays = relay_addresses(host, addresses(rtc.address) or ())
        self._rtc = rtc
        self._host = host
        self._idle_seconds = idle_seconds
        self._is_plain = is_plain
        self._has_lanes = has_lanes
        self._is_paced = is_paced and not is_plain
        options = TurnOptions(
            secret=self.secret,
            realm=rtc.realm,
            families=tuple(self.relays),
            lifetime=rtc.lifetime,
            allocations=rtc.allocations,
            allocations_per_user=rtc.allocations_per_user,
            bandwidth=rtc.bandwidth,
            unauthenticated_rate=rtc.unauthenticated_rate,
        )
        rules = PeerRules(
            allow=rtc.allow_peers,
            deny=rtc.deny_peers,
            own=own_addresses(),
            relays=[each.announced for each in self.relays.values()],
        )
        self.machine = TurnServer(options, rules, key=secrets.token_bytes(32), tokens=lambda: secrets.token_bytes(8))
        low, high = port_range(rtc.relay_ports) or (49_152, 65_535)
        self._ports = RelayPorts(low, high)
        self.relayed = Relayed()
        self._sender = DatagramSender(self.machine.counters, segments=not is_plain)
        self._boxes: dict[tuple[int, bool], Mailbox] = {}
        self._clients: list[ClientSocket] = []
        self._relays: dict[int, RelaySocket] = {}
        self._streams: dict[int, StreamClient] = {}
        self._numbers = 0
        self._refusals = RefusalLog(log)
        self._loop: asyncio.AbstractEventLoop
        self._ready: Readiness
        self._timer: asyncio.TimerHandle | None = None
        self._is_draining = False

    # ---- start and end ---------------------------------------------------------------------------------------------

    async def start(self, port: int, *, is_any: bool = False) -> None:
        """Listen on UDP: the settings' port, else `port`. `is_any`: else any that is free. Raises `OSError`."""
        self._loop = asyncio.get_running_loop()
        self.machine.wall_ahead = time.time() - time.monotonic()
        hosts = await self._loop.run_in_executor(None, listening_addresses, self._host)
        wanted = self._rtc.port or port
        try:
            sockets = _listen(hosts, wanted)
        except OSError:
            if not is_any or self._rtc.port:
                raise
            sockets = _listen(hosts, 0)
        self._ready = readiness(self._loop, is_plain=not self._is_paced)
        self.port = int(sockets[0].getsockname()[1])
        for number, sock in enumerate(sockets):
            enlarge(sock, _CLIENT_BUFFER)
            box = self._box(sock.family, is_relay=False)
            client = ClientSocket(number, sock, box, self._sender, self.relayed, self._received)
            self._clients.append(client)
            self._ready.add(sock, client.readable)
        self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)
        relays = [each.announced for each in self.relays.values()]
        where = ", ".join(hosts)
        log.info(
            "STUN and TURN on UDP port %d of %s, relaying from %s", self.port, where, ", ".join(relays) or "nothing"
        )
        for address in relays:
            if is_private(address) and not is_loopback(self._host):
                log.warning("peers elsewhere cannot reach the relay at %s, which is private: set rtc.address", address)

    def close(self) -> None:
        """End every allocation, and close every socket."""
        if self._timer is None:
            return  # it was never opened, or is closed
        self._timer.cancel()
        self._timer = None
        for stream in list(self._streams.values()):
            stream.transport.abort()
        self._ready.close()
        for client in self._clients:
            client.sock.close()
        for relay in self._relays.values():
            relay.sock.close()
        self._clients.clear()
        self._relays.clear()
        self._refusals.flush()

    def welcome(self, transport: asyncio.Transport, address: str, *, is_tls: bool) -> StreamClient:
        """What a TCP connection becomes that begins as STUN does."""
        self._numbers += 1
        name = transport.get_extra_info("peername")
        port = int(name[1]) if isinstance(name, tuple) else 0
        path = Path("tls" if is_tls else "tcp", address or "0.0.0.0", port, self._numbers)  # noqa: S104
        stream = StreamClient(self, path, transport, time.monotonic(), self._dropped)
        self._streams[self._numbers] = stream
        return stream

    # ---- what comes in ---------------------------------------------------------------------------------------------

    def _received(self, path: Path, data: bytes) -> None:
        self.machine.received(path, data, time.monotonic())
        self._drain()

    def _from_peer(self, number: int, peer: Address, data: bytes) -> None:
        self.machine.from_peer(number, peer, data, time.monotonic())
        self._drain()

    def stream_received(self, path: Path, data: bytes) -> None:
        """A message of a TCP client."""
        self._received(path, data)

    def stream_lost(self, path: Path) -> None:
        """A TCP client is gone."""
        self._streams.pop(path.number, None)
        self.machine.gone(path, time.monotonic())
        self._drain()

    def _tick(self) -> None:
        now = time.monotonic()
        self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)
        self.machine.wall_ahead = time.time() - now
        self.machine.tick(now)
        self._drain()
        self._refusals.flush()
        held = self.machine.registry.by_path
        for stream in list(self._streams.values()):
            if stream.opened_at + self._idle_seconds < now and stream.path not in held:
                self.machine.counters["stream.idle"] += 1
                stream.transport.abort()

    def _dropped(self, rule: str) -> None:
        self.machine.counters[rule] += 1

    # ---- what goes out ---------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Do what the machine wants, until it wants nothing."""
        if self._is_draining:
            return
        self._is_draining = True
        try:
            while outputs := self.machine.take():
                for output in outputs:
                    match output:
                        case Send():
                            self._send(output)
                        case Relay():
                            self._relay(output)
                        case OpenLane():
                            self._open_lane(output)
                        case CloseLane():
                            self._close_lane(output)
                        case OpenRelay():
                            self._open_relay(output)
                        case CloseRelay():
                            self._close_relay(output.number)
                        case Refused():
                            self._refusals.add(output)
        finally:
            self._is_draining = False

    def _send(self, output: Send) -> None:
        path, data = output.path, output.data
        if data[0] >= 0x40 or data[:2] == _DATA_INDICATION:
            self.relayed.packets_in += 1
            self.relayed.bytes_in += len(data) - HEADER
        if path.wire == "udp":
            if path.number < len(self._clients):
                self._sender.send(self._clients[path.number].sock, data, path.source)
        elif stream := self._streams.get(path.number):
            stream.send(data)

    def _relay(self, output: Relay) -> None:
        relay = self._relays.get(output.relay)
        if relay is None:
            return
        self.relayed.packets_out += 1
        self.relayed.bytes_out += len(output.data)
        if not output.dont_fragment:
            self._sender.send(relay.sock, output.data, output.peer)
            return
        try:
            send_unfragmented(relay.sock, output.data, output.peer)
        except OSError:
            self._dropped("send.too_big")

    def _open_relay(self, output: OpenRelay) -> None:
        now, address = time.monotonic(), self.relays[output.family]
        try:
            sockets = self._ports.open(address.bound, is_even=output.is_even, is_pair=bool(output.pair))
        except OSError as error:
            self.machine.failed(output.number, str(error), now)
            return
        names = [(address.announced, int(sock.getsockname()[1])) for sock in sockets]
        self._add_relay(output.number, sockets[0])
        if output.pair:
            self._add_relay(output.pair, sockets[1])
        self.machine.opened(output.number, names[0], now, names[1] if output.pair else None)

    def _add_relay(self, number: int, sock: socket.socket) -> None:
        box = self._box(sock.family, is_relay=True)
        relay = self._relays[number] = RelaySocket(number, sock, box, self._sender, self.relayed, self._from_peer)
        self._ready.add(sock, relay.readable)

    def _close_relay(self, number: int) -> None:
        relay = self._relays.pop(number, None)
        if relay is not None:
            self._ready.remove(relay.sock)
            relay.sock.close()

    def _open_lane(self, output: OpenLane) -> None:
        path, relay = output.path, self._relays.get(output.relay)
        if not self._has_lanes or path.wire != "udp" or relay is None:
            return
        client = self._clients[path.number]
        head = output.channel.to_bytes(2, "big")
        client.lanes[client.key(path.source, output.channel)] = Lane(relay.sock, output.peer, output.meter)
        relay.lanes[relay.key(output.peer)] = Lane(client.sock, path.source, output.meter, head)

    def _close_lane(self, output: CloseLane) -> None:
        path, relay = output.path, self._relays.get(output.relay)
        if path.wire == "udp":
            client = self._clients[path.number]
            client.lanes.pop(client.key(path.source, output.channel), None)
        if relay is not None:
            relay.lanes.pop(relay.key(output.peer), None)

    def _box(self, family: int, *, is_relay: bool) -> Mailbox:
        box = self._boxes.get((family, is_relay))
        if box is None:
            box = self._boxes[family, is_relay] = Mailbox(family, is_relay=is_relay, is_plain=self._is_plain)
        return box

    # ---- figures ---------------------------------------------------------------------------------------------------

    def collect(self) -> Iterator[Metric]:
        """A Prometheus collector's."""
        yield GaugeMetricFamily(
            "wirehop_turn_allocations", "Allocations of the TURN server.", len(self.machine.registry.by_path)
        )
        for name, text, out, back in (
            ("packets", "Datagrams relayed.", self.relayed.packets_out, self.relayed.packets_in),
            ("bytes", "Bytes relayed.", self.relayed.bytes_out, self.relayed.bytes_in),
        ):
            family = CounterMetricFamily(f"wirehop_turn_relayed_{name}", text, labels=["to"])
            family.add_metric(["peer"], out)
            family.add_metric(["client"], back)
            yield family
        events = CounterMetricFamily(
            "wirehop_turn_events",
            "Requests that were granted, and what was refused or dropped, by rule.",
            labels=["rule"],
        )
        for rule, count in self.machine.counters.items():
            events.add_metric([rule], count)
        yield events


def _listen(hosts: list[str], port: int) -> list[socket.socket]:
    """One socket for each host, all on the same port. Raises `OSError`."""
    sockets: list[socket.socket] = []
    try:
        for host in hosts:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
            sockets.append(sock)
            sock.setblocking(False)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                sock.bind((host, port or (sockets[0].getsockname()[1] if len(sockets) > 1 else 0)))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL or len(hosts) == 1:
                    raise
                sockets.pop().close()  # an address that is going or coming
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    if not sockets:
        raise OSError(errno.EADDRNOTAVAIL, "no address to listen on")
    return sockets
