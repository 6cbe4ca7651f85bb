"""What to change where calls do not come about, in lines for the embedded TURN server and for coturn.

Texts only; which one fits is decided where something is found.
"""

from typing import Final

NO_ICE: Final = "rtc.turn = embedded, or coturn://host:port with its secret in rtc.secret; --dev has the first"
ROOM: Final = "give --token of somebody who may join it, or another --channel"
NO_ROOM: Final = "presence = true and rtc = true in the options of the channel's namespace"
SERVER: Final = "`wirehop doctor URL` without --webrtc looks at the server itself"
CLOCK: Final = "keep all clocks by NTP: credentials end by the TURN server's"
CLOCK_AHEAD: Final = (
    "set the TURN server's clock by NTP (timedatectl set-ntp true); a longer rtc.credential_age only hides it"
)
CLOCK_HERE: Final = "set the clock of this machine, or of the server that made the credentials, by NTP"
OTHER_KEY: Final = (
    "rtc.secret and coturn's static-auth-secret must be the same, letter by letter, with use-auth-secret and no "
    "lt-cred-mech users; with the embedded server every process needs the same rtc.secret. Restart both"
)
NO_CREDENTIALS: Final = (
    "--rtc-secret makes credentials here, --username and --password are some; else give the wirehop server's URL"
)
UDP_BLOCKED: Final = (
    "open UDP port {port} in every firewall on the way (ufw allow {port}/udp; the cloud's security group too). Until "
    "then calls go through TURN over TCP or TLS, where that works, with more delay"
)
UDP_CLOSED: Final = (
    "rtc.turn = embedded listens on UDP at the server's own port number, or at rtc.port; coturn on listening-port, "
    "unless it has no-udp. In a container publish the port as udp: -p {port}:{port}/udp"
)
TCP_CLOSED: Final = (
    "rtc.tcp = true, and open TCP port {port} in every firewall on the way; coturn: no no-tcp, listening-port {port}"
)
TCP_OTHER: Final = (
    "a proxy that speaks HTTP cannot pass TURN: pass the port on as plain TCP (nginx: stream; HAProxy: mode tcp), or "
    "publish the server's own port; rtc.tcp = true"
)
TLS_CLOSED: Final = (
    "server.certificate and server.private_key, and rtc.tcp = true; coturn: cert, pkey and tls-listening-port {port}, "
    "without no-tls"
)
TLS_MISSING: Final = (
    "give the server a certificate (server.certificate), or coturn cert and pkey: networks that let only TLS on port "
    "443 out have no other way"
)
CHAIN: Final = (
    "give the whole chain, this server's certificate first, then the intermediate ones (fullchain.pem), to "
    "server.certificate or coturn's cert"
)
NAME: Final = "the turns: URL must have a name of the certificate: an address only if the certificate has it too"
SELF_SIGNED: Final = (
    "take a certificate of an authority that browsers know: they ask nobody about TURN, they just refuse"
)
RENEW: Final = "renew the certificate, and restart the server, or coturn (it also reads it anew at SIGUSR2)"
FORBIDDEN: Final = "look at the TURN server's log, which names the rule"
QUOTA: Final = "raise rtc.allocations_per_user (coturn: user-quota), or let old calls end"
CAPACITY: Final = (
    "raise rtc.allocations, or widen rtc.relay_ports (coturn: total-quota, min-port and max-port), and look who holds "
    "ports of that range: ss -lun"
)
FAMILY: Final = "rtc.address takes one IPv4 and one IPv6 address; coturn: relay-ip"
PERMISSION: Final = (
    "allow it: rtc.allow_peers = the relay's address with /32 (coturn: allowed-peer-ip, and allow-loopback-peers for a "
    "try on one machine). Two participants that both need the relay meet at its address"
)
HAIRPIN: Final = (
    "the relay does not reach its own announced address: announce one that it has, or let the router turn packets "
    "around (NAT loopback); coturn: external-ip=PUBLIC/PRIVATE, both addresses"
)
RELAY_PORTS: Final = (
    "open the UDP ports of rtc.relay_ports (49152-65535 if nothing is said; coturn: min-port to max-port) in every "
    "firewall on the way, and make rtc.address (coturn: external-ip) the address that they are reached at. In a "
    "container publish that range, or use the host's network"
)
RELAY_OUT: Final = "let UDP out of the TURN server's machine, from the ports of rtc.relay_ports to anywhere"
ADDRESS: Final = "rtc.address = the server's public address (coturn: external-ip=PUBLIC/PRIVATE)"
MDNS: Final = (
    "allow UDP 5353 to 224.0.0.251 on this machine and in its network (no client isolation on the WLAN). Without it "
    "two browsers of one network meet through STUN or TURN: it works, on a longer way"
)
PORTS_FEW: Final = "rtc.relay_ports with {need} ports at least, or rtc.allocations = {count}"
NEW_KEY: Final = (
    "set rtc.secret (WIREHOP_RTC_SECRET; 16 characters or more): else each start and each process has its own, and "
    "credentials end with it"
)
UDP_HELD: Final = "stop that, or rtc.port takes another"
OWN_ADDRESS: Final = "rtc.address = the address under which the open network reaches this machine"
