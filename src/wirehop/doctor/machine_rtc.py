"""This machine as a TURN server, with these settings: its port, its address, its relay's ports, its secret.

It opens a UDP port for a moment. What the network makes of them is for `calls`.
"""

import socket
from collections.abc import Iterator

from wirehop.doctor import turn_advice as advice
from wirehop.doctor.findings import Finding
from wirehop.doctor.ports import is_held, problem_of
from wirehop.rtc.pure.peers import PeerRules
from wirehop.rtc.turn.addresses import listening_addresses, relay_addresses
from wirehop.rtc.turn.ports import NoPortError, RelayPorts
from wirehop.settings.check_rtc import EMBEDDED, OFF, addresses, port_range
from wirehop.settings.tree import Settings


def examine_rtc(settings: Settings, *, is_running: bool = False) -> Iterator[Finding]:
    """One finding after the other. `is_running`: the server should run, and have its port."""
    rtc = settings.rtc
    if rtc.turn == OFF:
        yield Finding("rtc-turn", "ok", "rtc.turn is off: calls have no STUN and TURN server")
        return
    if rtc.turn != EMBEDDED:
        where = rtc.turn.partition("://")[2]
        yield Finding("rtc-turn", "ok", f"participants are sent to coturn at {where}: `--webrtc` looks at it")
        return
    yield Finding("rtc-turn", "ok", "STUN and TURN are served by this process")
    host = settings.server.host
    if not is_running:
        yield _port(host, rtc.port or settings.server.port)
    if rtc.secret:
        yield Finding("rtc-secret", "ok", "rtc.secret is set: every process and every start has the same")
    else:
        yield Finding("rtc-secret", "warn", "rtc.secret is empty: a new one at each start", advice.NEW_KEY)
    low, high = port_range(rtc.relay_ports) or (0, 0)
    announced = addresses(rtc.address) or ()
    relays = relay_addresses(host, announced)
    if not relays:
        yield Finding("rtc-address", "bad", "no address of this machine can be relayed from", advice.OWN_ADDRESS)
        return
    yield _address(host, [each.announced for each in relays.values()], is_said=bool(announced))
    yield _relay_ports(next(iter(relays.values())).bound, low, high, rtc.allocations)


def _port(host: str, number: int) -> Finding:
    name = "rtc-port"
    if not number:
        return Finding(name, "ok", "UDP port 0: the system will choose one")
    try:
        hosts = listening_addresses(host)
    except OSError as error:
        return Finding(
            name, "bad", f"{host}: {error.strerror or error}", "server.host must be an address of this machine"
        )
    for each in hosts:
        error_of_bind = problem_of(each, number, kind=socket.SOCK_DGRAM)
        if error_of_bind is None:
            continue
        if is_held(error_of_bind):
            seen = f"UDP port {number} of {each} is held by another process"
            return Finding(name, "bad", seen, f"{advice.UDP_HELD} (ss -lunp sport = :{number} says who)")
        seen = f"nobody can listen on UDP port {number} of {each}: {error_of_bind.strerror or error_of_bind}"
        return Finding(name, "bad", seen, "server.host, and rtc.port, must be this machine's to listen on")
    return Finding(name, "ok", f"UDP port {number} is free")


def _address(host: str, announced: list[str], *, is_said: bool) -> Finding:
    rules = PeerRules()
    kinds = {each: rules.refusal(each) for each in announced}
    words = ", ".join(f"{each} ({kind})" if kind else each for each, kind in kinds.items())
    if all(kinds.values()):
        seen = f"relayed addresses are {words}: to be reached from no other network"
        is_meant = is_said or set(kinds.values()) == {"loopback"} == {rules.refusal(each) for each in _numbers(host)}
        return Finding("rtc-address", "ok" if is_meant else "warn", seen, "" if is_meant else advice.OWN_ADDRESS)
    return Finding("rtc-address", "ok", f"relayed addresses are {words}")


def _numbers(host: str) -> list[str]:
    try:
        return listening_addresses(host)
    except OSError:
        return []


def _relay_ports(host: str, low: int, high: int, allocations: int) -> Finding:
    name, count = "rtc-relay-ports", high - low + 1
    try:
        for sock in RelayPorts(low, high).open(host):
            sock.close()
    except NoPortError as error:
        return Finding(name, "bad", str(error), advice.CAPACITY)
    if count < allocations:
        seen = f"{count:,} relay ports are fewer than rtc.allocations, {allocations:,}"
        return Finding(name, "warn", seen, advice.PORTS_FEW.format(need=allocations, count=count))
    return Finding(name, "ok", f"UDP ports {low} to {high} can be relayed from")
