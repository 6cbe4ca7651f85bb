"""coturn in a namespace: the TURN server that ours is compared with, and the oracle of the rig itself."""

import base64
import contextlib
import hashlib
import hmac
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from ..e2e.servers import until
from .netns import Namespace

PROGRAM = "turnserver"
PORT = 3478
TLS_PORT = 443
START_SECONDS = 20.0
STOP_SECONDS = 3.0
CREDENTIAL_SECONDS = 3600


def why_not() -> str | None:
    """The reason for which it cannot run here; None where it can."""
    return None if shutil.which(PROGRAM) else "no coturn"


def listens(namespace: Namespace, address: str, port: int) -> bool:
    """Whether something in the namespace accepts TCP there."""
    with namespace.entered(), contextlib.suppress(OSError), socket.create_connection((address, port), 1.0):
        return True
    return False


class Coturn:
    """A running one: UDP and TCP on port 3478, TLS on 443."""

    def __init__(self, address: str, secret: str) -> None:
        self.address = address
        self.secret = secret

    def credentials(self, user: str) -> dict[str, str]:
        """Time-limited ones, as an ICE server's fields (draft-uberti-behave-turn-rest)."""
        username = f"{int(time.time()) + CREDENTIAL_SECONDS}:{user}"
        digest = hmac.digest(self.secret.encode(), username.encode(), hashlib.sha1)
        return {"username": username, "credential": base64.b64encode(digest).decode()}

    def urls(self, *ways: str) -> list[str]:
        """TURN by these of `udp`, `tcp` and `tls`, or `stun`."""
        every = {
            "stun": f"stun:{self.address}:{PORT}",
            "udp": f"turn:{self.address}:{PORT}?transport=udp",
            "tcp": f"turn:{self.address}:{PORT}?transport=tcp",
            "tls": f"turns:{self.address}:{TLS_PORT}?transport=tcp",
        }
        return [every[way] for way in ways]


@contextlib.contextmanager
def coturn(
    namespace: Namespace,
    address: str,
    directory: Path,
    *,
    secret: str = "",
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[Coturn]:
    """Start it with the secret of time-limited credentials; stop it at the end. Its log is in the directory."""
    turn = Coturn(address, secret or secrets.token_urlsafe(16))
    place = directory / f"coturn-{secrets.token_hex(4)}"
    place.mkdir()
    command = [
        PROGRAM, "-n", "--verbose", "--log-file=stdout", "--no-cli", "--no-dtls",
        f"--listening-ip={address}", f"--relay-ip={address}", f"--listening-port={PORT}",
        "--min-port=49152", "--max-port=49999", "--realm=rig", "--fingerprint",
        "--use-auth-secret", f"--static-auth-secret={turn.secret}",
        f"--userdb={place / 'users'}", f"--pidfile={place / 'pid'}",
    ]  # fmt: skip
    if certificate:
        chain, key = certificate
        command += [f"--tls-listening-port={TLS_PORT}", f"--cert={chain}", f"--pkey={key}"]
    else:
        command.append("--no-tls")
    with (place / "log").open("w") as log:
        process = namespace.popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        for port in (PORT, TLS_PORT) if certificate else (PORT,):
            until(
                lambda port=port: process.poll() is not None or listens(namespace, address, port),
                seconds=START_SECONDS, what=f"coturn on port {port}",
            )  # fmt: skip
        assert process.poll() is None, (place / "log").read_text()[-3000:]
        yield turn
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
