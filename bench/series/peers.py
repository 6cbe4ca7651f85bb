"""The servers that are measured: how each is built and started, and how the load generator speaks to it.

A *lane* is one way of using a server: `ws`, `sse` and `poll` deliver publications, `rpc` and `publish` are commands of
a client, `channels` is a session with several channels. Not every server has every lane. It knows nothing of
workloads, rounds and goals.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import rig

HERE = rig.BENCH / "peers"
BUILT = rig.BIN / "peers"
NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")

Arguments = tuple[object, ...]


@dataclass(frozen=True)
class Peer:
    """One server under test."""

    name: str
    title: str
    command: Callable[[int], list[str]]
    """For a port."""
    version: Callable[[], str]
    lanes: Mapping[str, Arguments]
    """Arguments of the load generator, publishing included."""
    missing: Callable[[], str] = lambda: ""
    """Why it cannot be measured here, or nothing."""
    build: Callable[[], None] = lambda: None
    also: Mapping[str, str] = field(default_factory=dict)
    """More environment."""
    most: int = 20_000
    """Subscribers that it can be asked to serve in a time worth waiting for."""


def _run(command: list[str], folder: Path, purpose: str) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise rig.RigError(f"could not {purpose}: {said.strip()[-400:]}") from None


def _absent(*programs: str) -> Callable[[], str]:
    return lambda: ", ".join(f"no {name} on the path" for name in programs if shutil.which(name) is None)


# ---- sessions: wirehop and Centrifuge speak the same protocol ------------------------------------------------------

SHARED = "bench:all"
CONNECT = '{"id":1,"connect":{"name":"bench"}}'
MANY = '{"id":{k},"subscribe":{"channel":"bench:{c}"}}'
RESUMABLE = (
    '{"id":4294967295,"connect":{"name":"bench","wh":{}}}\n'
    '{"id":1,"subscribe":{"channel":"bench:all"}}\n'
    '{"id":4000000001,"ping":{},"wh":{"attach":1}}'
)
"""A session that outlives its wire, confirmed: the first wire of a session has the number 1."""


def _subscribe(channel: str) -> str:
    return '{"id":2,"subscribe":{"channel":"' + channel + '"}}'


def _session_lanes(publishing: Arguments, many: Arguments) -> dict[str, Arguments]:
    base: Arguments = ("--mode", "ws", "--path", "/connection/websocket")
    ready: Arguments = ("--ready-on", '"id":2,')
    publish = '{"id":{n},"publish":{"channel":"bench:own-{i}","data":"{payload}"}}'
    return {
        "ws": (*base, "--hello", f"{CONNECT}\n{_subscribe(SHARED)}", *ready, *publishing),
        "rpc": (
            *(*base, "--hello", CONNECT, "--ready-on", '"id":1,'),
            *("--echo", '{"id":{n},"rpc":{"method":"echo","data":"{payload}"}}'),
        ),
        "publish": (*base, "--hello", f"{CONNECT}\n{_subscribe('bench:own-{i}')}", *ready, "--echo", publish),
        "channels": (*base, "--hello", CONNECT.replace("1", "900", 1), "--hello-each", MANY, *many),
    }


# ---- wirehop and the floor -----------------------------------------------------------------------------------------


def _wirehop(sender: str) -> Callable[[int], list[str]]:
    return lambda port: [sys.executable, str(rig.BENCH / "server.py"), "--port", str(port), "--sender", sender]


def _wirehop_lanes() -> dict[str, Arguments]:
    path = f"/channels/{SHARED}"
    lanes = _session_lanes(("--publish-post", path), ("--publish-post", "/channels/bench:{c}"))
    lanes["sse"] = ("--mode", "sse", "--path", path, "--ready-on", "id:", "--publish-post", path)
    resumable = ("--mode", "ws", "--path", "/connection/websocket", "--hello", RESUMABLE)
    lanes["resumable"] = (*resumable, "--ready-on", '"id":4000000001', "--publish-post", path)
    lanes["poll"] = ("--mode", "poll", "--path", path + "?wait=25s&cursor={cursor}", "--publish-post", path)
    return lanes


def _no_sender(sender: str) -> Callable[[], str]:
    def why() -> str:
        done = subprocess.run(
            [sys.executable, str(rig.BENCH / "server.py"), "--port", "0", "--sender", sender, "--check"],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return (done.stderr.strip().splitlines() or ["it does not start"])[-1] if done.returncode else ""

    return why


def _package(name: str) -> Callable[[], str]:
    def version() -> str:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return "not installed"

    return version


ECHO: Arguments = ("--mode", "ws", "--path", "/echo", "--echo", "{payload}")
FLOOR = Peer(
    "floor",
    "C, a loop of send(2)",
    lambda port: [str(rig.BIN / "floor"), str(port)],
    lambda: "this repository's",
    {
        "ws": ("--mode", "ws", "--publish-post", "/x"),
        "sse": ("--mode", "sse", "--publish-post", "/x"),
        "rpc": ECHO,
        "publish": ECHO,
    },
    build=lambda: (rig.build("floor"), None)[1],
)
BATCH = Peer(
    "wirehop",
    "wirehop, io_uring",
    _wirehop("batch"),
    _package("wirehop"),
    _wirehop_lanes(),
    missing=_no_sender("batch"),
)
WRITE = Peer("wirehop-write", "wirehop, transport.write", _wirehop("write"), _package("wirehop"), _wirehop_lanes())


# ---- others --------------------------------------------------------------------------------------------------------


def _build_centrifuge() -> None:
    sources = sorted((HERE / "centrifuge").glob("*"))
    program = BUILT / "centrifuge"
    if program.exists() and program.stat().st_mtime > max(file.stat().st_mtime for file in sources):
        return
    BUILT.mkdir(parents=True, exist_ok=True)
    _run(["go", "build", "-o", str(program), "."], HERE / "centrifuge", "build Centrifuge's peer")


def _go_version() -> str:
    for line in (HERE / "centrifuge" / "go.mod").read_text(encoding="utf-8").splitlines():
        if "centrifugal/centrifuge " in line:
            return line.split()[-1]
    return "unknown"


def _centrifuge_lanes() -> dict[str, Arguments]:
    body: Arguments = ("--publish-body", '"{payload}"')
    publishing: Arguments = ("--publish-post", f"/channels/{SHARED}", *body)
    lanes = _session_lanes(publishing, ("--publish-post", "/channels/bench:{c}", *body))
    connect = "/connection/sse?cf_connect=" + quote('{"id":1,"connect":{}}', safe="")
    lanes["sse"] = ("--mode", "sse", "--path", connect, "--ready-on", '"connect"', *publishing)
    return lanes


def _nchan_command(port: int) -> list[str]:
    folder = BUILT / "nchan"
    folder.mkdir(parents=True, exist_ok=True)
    text = (HERE / "nchan.conf").read_text(encoding="utf-8")
    configuration = folder / "nginx.conf"
    configuration.write_text(text.replace("{port}", str(port)).replace("{folder}", str(folder)), encoding="utf-8")
    return ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(configuration)]


def _nchan_version() -> str:
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False).stderr
    package = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan"], capture_output=True, text=True, check=False
    ).stdout
    number = package.rpartition(":")[2].partition("+")[0]  # without Debian's epoch and its own suffix
    return f"{number or 'unknown'} in nginx {said.rpartition('/')[2].strip()}"


def _nchan_missing() -> str:
    if shutil.which("nginx") is None or not NCHAN_MODULE.exists():
        return "no nginx with nchan (Debian: apt install nginx libnginx-mod-nchan)"
    return ""


def _build_node() -> None:
    if not (HERE / "node_modules" / "ws").exists():
        _run(["npm", "ci", "--no-audit", "--no-fund"], HERE, "install the node packages")


def _node_version(package: str) -> Callable[[], str]:
    def version() -> str:
        about = HERE / "node_modules" / package / "package.json"
        return str(json.loads(about.read_text(encoding="utf-8"))["version"]) if about.exists() else "not installed"

    return version


def _uvicorn(app: str) -> Callable[[int], list[str]]:
    return lambda port: [
        *(sys.executable, "-m", "uvicorn", "--app-dir", str(HERE), "--port", str(port), app),
        *("--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio", "--ws-per-message-deflate", "false"),
        *("--no-access-log", "--log-level", "error", "--backlog", "4096", "--lifespan", "off"),
    ]


def _without(*modules: str) -> Callable[[], str]:
    return lambda: ", ".join(f"{name} is not installed" for name in modules if importlib.util.find_spec(name) is None)


APPLICATION: Mapping[str, Arguments] = {
    "ws": ("--mode", "ws", "--path", "/subscribe", "--publish-post", "/publish"),
    "rpc": ECHO,
}
SOCKET_IO: Arguments = (
    *("--mode", "ws", "--path", "/socket.io/?EIO=4&transport=websocket", "--hello-steps", "--hello", "40"),
    *("--ready-on", '40{"sid', "--answer", "2=3"),
)

OTHERS = (
    Peer(
        "centrifuge",
        "Centrifuge (Go)",
        lambda port: [str(BUILT / "centrifuge"), str(port)],
        _go_version,
        _centrifuge_lanes(),
        missing=_absent("go"),
        build=_build_centrifuge,
        also={"GOMAXPROCS": "1"},
    ),
    Peer(
        "nchan",
        "nchan (nginx)",
        _nchan_command,
        _nchan_version,
        {
            "ws": ("--mode", "ws", "--path", "/subscribe/all", "--publish-post", "/publish/all"),
            "sse": ("--mode", "sse", "--path", "/subscribe/all", "--publish-post", "/publish/all"),
            "poll": ("--mode", "poll", "--path", "/subscribe/all", "--validators", "--publish-post", "/publish/all"),
        },
        missing=_nchan_missing,
    ),
    Peer(
        "ws",
        "ws (Node)",
        lambda port: ["node", str(HERE / "ws.js"), str(port)],
        _node_version("ws"),
        APPLICATION,
        missing=_absent("node", "npm"),
        build=_build_node,
    ),
    Peer(
        "socketio",
        "Socket.IO (Node)",
        lambda port: ["node", str(HERE / "socketio.js"), str(port)],
        _node_version("socket.io"),
        {"ws": (*SOCKET_IO, "--publish-post", "/publish"), "rpc": (*SOCKET_IO, "--echo", '42{n}["echo","{payload}"]')},
        missing=_absent("node", "npm"),
        build=_build_node,
    ),
    Peer(
        "starlette",
        "Starlette on uvicorn",
        _uvicorn("starlette_app:app"),
        _package("starlette"),
        APPLICATION,
        missing=_without("starlette", "uvicorn", "uvloop", "httptools"),
    ),
    Peer(
        "channels",
        "Channels on uvicorn",
        _uvicorn("channels_app:app"),
        _package("channels"),
        APPLICATION,
        missing=_without("channels", "uvicorn", "uvloop", "httptools"),
        most=1000,
    ),
)

PEERS: Mapping[str, Peer] = {peer.name: peer for peer in (FLOOR, BATCH, WRITE, *OTHERS)}
