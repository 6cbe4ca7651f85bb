"""This machine: whether a server with these settings can start here, how many it can hold, and how quick it will be.

It reads the system's limits and opens nothing but, for a moment, the port. It does not know other machines.
"""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from wirehop.doctor.certificates import examine_files
from wirehop.doctor.findings import Finding, Found
from wirehop.doctor.machine_rtc import examine_rtc
from wirehop.doctor.ports import holder, is_held, problem_of
from wirehop.hosts.native import HostOptions
from wirehop.settings.tree import Settings

CONNECTIONS = 10_000
"""For how many connections limits are judged, unless it is said."""
OTHER_DESCRIPTORS = 64
"""Files and sockets that a server has open beside its connections."""
_PER_ADDRESS = "one address can open to one port: give the proxy more addresses, or a Unix socket"

Read = Callable[[str], str]


def examine_machine(settings: Settings, *, connections: int = CONNECTIONS, found: Found | None = None) -> list[Finding]:
    """Look at everything. `found` hears of each finding as it is made."""
    findings = []
    for finding in _findings(settings, connections):
        findings.append(finding)
        if found is not None:
            found(finding)
    return findings


def _findings(settings: Settings, connections: int) -> Iterator[Finding]:
    server = settings.server
    version = f"Python {platform.python_version()} on {platform.system()} {platform.release()}"
    yield Finding("python", "ok", version)
    yield port(server.host, server.port)
    if server.certificate:
        yield examine_files(server.certificate, server.private_key, datetime.now(UTC))
    else:
        yield Finding("tls", "ok", "no certificate is set: plain HTTP, for a proxy in front")
    yield from examine_rtc(settings)
    yield descriptors(connections)
    yield uvloop(server.loop)
    yield io_uring()
    if sys.platform == "linux":
        yield backlog(HostOptions().backlog)
        yield source_ports(connections)
        yield from conntrack(connections)


def port(host: str, number: int) -> Finding:
    """Whether the server can listen."""
    if not number:
        return Finding("port", "ok", "port 0: the system will choose one")
    error = problem_of(host, number)
    if error is None:
        return Finding("port", "ok", f"{host}:{number} is free")
    if is_held(error):
        who = holder(number) or "another process (psutil, or root, could say which)"
        return Finding(
            "port",
            "bad",
            f"{host}:{number} is held by {who}",
            "stop that, or serve on another: --port 0 takes a free one",
        )
    change = "ports below 1024 need the capability CAP_NET_BIND_SERVICE" if isinstance(error, PermissionError) else ""
    return Finding(
        "port",
        "bad",
        f"nobody can listen on {host}:{number}: {error.strerror or error}",
        change or "server.host must be an address of this machine; 0.0.0.0 or :: is every one",
    )


def descriptors(connections: int) -> Finding:
    """Each connection is an open file."""
    try:
        import resource
    except ImportError:  # Windows: no such limit
        return Finding("descriptors", "ok", "this system sets no limit of open files")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = connections + OTHER_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= need:
        return Finding(
            "descriptors", "ok", f"{_number(soft)} files may be open, enough for {connections:,} connections"
        )
    seen = f"{soft:,} files may be open, which is {max(0, soft - OTHER_DESCRIPTORS):,} connections, not {connections:,}"
    if hard == resource.RLIM_INFINITY or hard >= need:
        return Finding("descriptors", "warn", seen, f"ulimit -n {need}, or LimitNOFILE={need} in the systemd unit")
    return Finding(
        "descriptors", "bad", f"{seen}; the hard limit is {hard:,}", f"as root: LimitNOFILE={need} in the systemd unit"
    )


def _number(limit: int) -> str:
    return f"{limit:,}" if 0 <= limit < 1 << 62 else "any number of"


def uvloop(loop: str) -> Finding:
    """The quick event loop."""
    if loop == "asyncio":
        change = "server.loop = auto takes uvloop, which needs a third less processor time"
        return Finding("uvloop", "warn", "server.loop is asyncio", change)
    if find_spec("uvloop") is not None:
        try:
            found = import_module("uvloop")
        except ImportError as error:
            return Finding(
                "uvloop", "warn", f"uvloop cannot be loaded: {error}", "pip install --force-reinstall uvloop"
            )
        return Finding("uvloop", "ok", f"uvloop {found.__version__}")
    if sys.platform == "win32" or platform.python_implementation() != "CPython":
        return Finding("uvloop", "ok", f"there is no uvloop for {platform.python_implementation()} on {sys.platform}")
    verdict = "bad" if loop == "uvloop" else "warn"
    return Finding("uvloop", verdict, "uvloop is not installed", "pip install uvloop")  # type: ignore[arg-type]


def io_uring() -> Finding:
    """The batch sender."""
    try:
        module = import_module("wirehop.hosts.native.uring")
    except ImportError:
        return Finding("io_uring", "ok", "this version sends without io_uring")
    found = module.probe()  # a ring, or why there is none
    reason = found if isinstance(found, str) else ""
    if not reason:
        found.close()
        return Finding("io_uring", "ok", "io_uring can be used: big channels are sent in batches")
    return Finding("io_uring", "warn", f"io_uring cannot be used: {reason}", "it works without, for a little more time")


def backlog(wanted: int, read: Read | None = None) -> Finding:
    """The kernel cuts the queue of connections that wait to be accepted."""
    limit = _value("net/core/somaxconn", read)
    if limit is None or limit >= wanted:
        return Finding("backlog", "ok", f"{min(wanted, limit or wanted):,} connections may wait to be accepted")
    return Finding(
        "backlog",
        "warn",
        f"{limit:,} connections may wait to be accepted, the server asks for {wanted:,}: a rush is refused",
        f"sysctl -w net.core.somaxconn={wanted}",
    )


def source_ports(connections: int, read: Read | None = None) -> Finding:
    """A proxy has one source port for each connection to the server."""
    text = (read or _read_sysctl)("net/ipv4/ip_local_port_range").split()
    low, high = (int(text[0]), int(text[1])) if len(text) == 2 else (32_768, 60_999)
    count = high - low + 1
    seen = f"a proxy on this machine can open {count:,} connections to the server"
    if count >= connections:
        return Finding("source-ports", "ok", seen)
    change = f"sysctl -w net.ipv4.ip_local_port_range='1024 65535'; more than that no {_PER_ADDRESS}"
    return Finding("source-ports", "warn", f"{seen}, not {connections:,}", change)


def conntrack(connections: int, read: Read | None = None) -> Iterator[Finding]:
    """Where the kernel follows connections, it drops what does not fit its table."""
    limit = _value("net/netfilter/nf_conntrack_max", read)
    if limit is None:
        return
    if limit >= 2 * connections:
        yield Finding("conntrack", "ok", f"the kernel follows {limit:,} connections at most")
    else:
        seen = f"the kernel follows {limit:,} connections at most, and drops packets of more"
        yield Finding("conntrack", "warn", seen, f"sysctl -w net.netfilter.nf_conntrack_max={4 * connections}")


def _value(name: str, read: Read | None) -> int | None:
    text = (read or _read_sysctl)(name).strip()
    return int(text) if text.isdigit() else None


def _read_sysctl(name: str) -> str:
    try:
        return Path(os.sep, "proc", "sys", *name.split("/")).read_text()
    except OSError:
        return ""
