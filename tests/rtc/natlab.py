"""A public network with two clients, each behind a NAT of its own: what a call goes through in the world.

    left ── left's NAT ──┐
                         ├── public (198.51.100.1 to .3: the server, STUN, TURN)
    right ── right's NAT ┘

The NATs are Linux's, and behave as RFC 4787 names it. The kinds can be changed while the lab is up.
"""

import contextlib
import ipaddress
from collections.abc import Iterator
from typing import Literal

from .netns import Namespace, route_to_nowhere

Kind = Literal["cone", "full", "symmetric", "udp blocked", "only 443"]
SERVER = "198.51.100.1"
RELAY = "198.51.100.2"
"""A second public address: for what wants port 443 too, and for the discovery of a NAT's kind."""
TLS_RELAY = "198.51.100.3"
"""A third: for what has nothing but TLS on port 443."""

_NOWHERE = "198.51.100.254"
_OUTWARD: dict[str, str] = {"udp blocked": "-p tcp", "only 443": "-p tcp --dport 443"}


class Nat:
    """A router with its NAT, and the one client behind it."""

    def __init__(self, router: Namespace, client: Namespace, *, number: int) -> None:
        self.router = router
        self.client = client
        self.address = f"198.51.100.{10 + number}"
        """The public one."""
        self.inner = f"192.168.{number}.2"
        """The client's own."""
        self._number = number
        self.kind: Kind = "cone"

    def connect(self, public: Namespace) -> None:
        """Lay the cables between client, router and the public network."""
        port, gateway = f"port{self._number}", str(ipaddress.ip_address(self.inner) - 1)
        public.ip(
            f"link add {port} type veth peer name wan netns {self.router.name}", f"link set {port} master bridge up"
        )
        self.router.ip(
            f"addr add {self.address}/24 dev wan",
            "link set wan up",
            f"link add lan type veth peer name eth0 netns {self.client.name}",
            f"addr add {gateway}/24 dev lan",
            "link set lan up",
        )
        self.client.ip(
            f"addr add {self.inner}/24 dev eth0", "link set eth0 up", f"route add default via {gateway} dev eth0"
        )
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")

    def become(self, kind: Kind) -> None:
        """Change what it is, and forget its mappings.

        cone: one mapping for all destinations, packets only from addresses that were written to (port preserving).
        full: packets from anywhere come through. symmetric: another random port for each destination.
        """
        self.kind = kind
        random = " --random-fully" if kind == "symmetric" else ""
        forwarded = [f"-A PREROUTING -i wan -p udp -j DNAT --to-destination {self.inner}"] if kind == "full" else []
        rules = [
            "*filter",
            ":INPUT ACCEPT",
            ":FORWARD DROP",
            f"-A FORWARD -i lan -o wan {_OUTWARD.get(kind, '')} -j ACCEPT",
            "-A FORWARD -i wan -o lan -m conntrack --ctstate ESTABLISHED,RELATED,DNAT -j ACCEPT",
            # an early packet from outside would make a conntrack entry, and the client's own lose its port to it
            "-A INPUT -i wan -p udp -j DROP",
            "COMMIT",
            "*nat",
            *forwarded,
            f"-A POSTROUTING -o wan -j MASQUERADE{random}",
            "COMMIT",
        ]
        self.router.run("iptables-restore", "-w", text="\n".join(rules) + "\n")
        self.router.run("conntrack", "-F")


class NatLab:
    """The public network and both clients."""

    def __init__(self, public: Namespace, left: Nat, right: Nat) -> None:
        self.public = public
        self.left = left
        self.right = right

    def become(self, left: Kind, right: Kind) -> None:
        """Change what the NATs are."""
        self.left.become(left)
        self.right.become(right)


@contextlib.contextmanager
def nat_lab() -> Iterator[NatLab]:
    """Build it, both NATs cones, and take it down."""
    with contextlib.ExitStack() as stack:
        public = stack.enter_context(Namespace("public"))
        public.ip(
            "link add bridge type bridge",
            f"addr add {SERVER}/24 dev bridge",
            f"addr add {RELAY}/24 dev bridge",
            f"addr add {TLS_RELAY}/24 dev bridge",
            "link set bridge up",
        )
        route_to_nowhere(public, _NOWHERE, "bridge")
        sides = []
        for number, role in enumerate(("left", "right"), 1):
            router = stack.enter_context(Namespace(f"{role}-nat"))
            sides.append(Nat(router, stack.enter_context(Namespace(role)), number=number))
            sides[-1].connect(public)
        lab = NatLab(public, *sides)
        lab.become("cone", "cone")
        yield lab
