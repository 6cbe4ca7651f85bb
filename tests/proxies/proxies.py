"""Real proxies in front of a server of a test: nginx and HAProxy as subprocesses, from the files in deploy/.

The files are used as they are, but for ports, certificates and places to write to. A test that wants a bad proxy
changes their text.
"""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import trustme

DEPLOY = Path(__file__).parents[2] / "deploy"
NAMES = ("nginx", "haproxy")
START_SECONDS = 10.0
Change = Callable[[str], str]


class Proxy:
    """A proxy that runs: its plain and its TLS port, and the authority's certificate (PEM file)."""

    def __init__(self, port: int, tls_port: int, authority: Path) -> None:
        self.port = port
        self.tls_port = tls_port
        self.authority = authority
        self.url = f"http://127.0.0.1:{port}"
        self.tls_url = f"https://127.0.0.1:{tls_port}"


@contextlib.contextmanager
def in_front(name: str, upstream: int, place: Path, change: Change = str) -> Iterator[Proxy]:
    """Start the proxy `name` before the server on port `upstream`. `change` may change the text of its file."""
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip(f"{name} is not installed")
    place = place / f"{name}-{upstream}"
    place.mkdir()
    port, tls_port = free_ports()
    authority, pem = certificates(place)
    text = (_nginx if name == "nginx" else _haproxy)(place, upstream, port, tls_port, pem)
    file = place / "proxy.conf"
    changed = change(text)
    assert change is str or changed != text, "the change changes nothing"
    file.write_text(changed)
    commands = {
        "nginx": [program, "-p", str(place), "-c", str(file), "-e", str(place / "error.log"),
                  "-g", f"daemon off; master_process off; pid {place}/pid;"],
        "haproxy": [program, "-db", "-f", str(file)],
    }  # fmt: skip
    log = place / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(commands[name], stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(process, port, log)
        yield Proxy(port, tls_port, authority)
    finally:
        process.kill()  # graceful ends wait for open streams
        process.wait(5)


def free_ports() -> tuple[int, int]:
    """Two ports, held together so that they are not the same one."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return int(one.getsockname()[1]), int(other.getsockname()[1])


def replace(*pairs: tuple[str, str]) -> Change:
    """A change that replaces each text, which must be there once, by another."""

    def change(text: str) -> str:
        for old, new in pairs:
            assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
            text = text.replace(old, new)
        return text

    return change


@cache
def _authority() -> tuple[trustme.CA, trustme.LeafCert]:
    authority = trustme.CA()
    return authority, authority.issue_cert("127.0.0.1", "localhost")


def certificates(place: Path) -> tuple[Path, Path]:
    """The authority's certificate, and chain and key of 127.0.0.1 in one file."""
    authority, leaf = _authority()
    authority.cert_pem.write_to_path(str(place / "ca.pem"))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(place / "leaf.pem"))
    return place / "ca.pem", place / "leaf.pem"


def _nginx(place: Path, upstream: int, port: int, tls_port: int, pem: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"    {kind}_temp_path {place}/{kind};" for kind in kinds)
    return replace(
        ("worker_processes auto;", "worker_processes 1;"),
        ("worker_connections 20000;", "worker_connections 1000;"),
        ("http {\n", f"http {{\n    access_log off;\n{places}\n"),
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{upstream};"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{tls_port} ssl http2;"),
        ("/etc/ssl/example.org/fullchain.pem", str(pem)),
        ("/etc/ssl/example.org/privkey.pem", str(pem)),
    )((DEPLOY / "nginx.conf").read_text())


def _haproxy(place: Path, upstream: int, port: int, tls_port: int, pem: Path) -> str:
    return replace(
        ("maxconn 20000", "maxconn 1000"),
        ("server one 127.0.0.1:8000 check", f"server one 127.0.0.1:{upstream} check"),
        ("bind :80\n", f"bind 127.0.0.1:{port}\n"),
        ("bind :443 ssl crt /etc/ssl/example.org.pem", f"bind 127.0.0.1:{tls_port} ssl crt {pem}"),
    )((DEPLOY / "haproxy.cfg").read_text())


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the proxy does not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.005)
