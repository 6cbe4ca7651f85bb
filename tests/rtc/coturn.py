"""coturn in a namespace: the TURN server that ours is compared with, and the oracle of the rig itself."""

import contextlib
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ..e2e.servers import until
from .netns import Namespace
from .turnservers import TurnServer, listens

PROGRAM = "turnserver"
PORT = 3478
TLS_PORT = 443
START_SECONDS = 20.0
STOP_SECONDS = 3.0


def why_not() -> str | None:
    """The reason for which it cannot run here; None where it can."""
    return None if shutil.which(PROGRAM) else "no coturn"


@contextlib.contextmanager
def coturn(
    namespace: Namespace,
    address: str,
    directory: Path,
    *,
    certificate: tuple[Path, Path],
    secret: str,
    is_only_tls: bool = False,
) -> Iterator[TurnServer]:
    """Start it with the secret of time-limited credentials; stop it at the end. Its log is in the directory.

    UDP and TCP are on port 3478, TLS on 443. `is_only_tls`: no TCP without TLS, on either port.
    """
    place = directory / f"coturn-{secrets.token_hex(4)}"
    place.mkdir()
    chain, key = certificate
    command = [
        PROGRAM, "-n", "--verbose", "--log-file=stdout", "--no-cli", "--no-dtls",
        f"--listening-ip={address}", f"--relay-ip={address}",
        f"--listening-port={PORT}", f"--tls-listening-port={TLS_PORT}", f"--cert={chain}", f"--pkey={key}",
        "--min-port=49152", "--max-port=49999", "--realm=rig", "--fingerprint",
        "--use-auth-secret", f"--static-auth-secret={secret}",
        f"--userdb={place / 'users'}", f"--pidfile={place / 'pid'}", *(["--no-tcp"] if is_only_tls else []),
    ]  # fmt: skip
    with (place / "log").open("w") as log:
        process = namespace.popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        for port in (TLS_PORT,) if is_only_tls else (PORT, TLS_PORT):
            until(
                lambda port=port: process.poll() is not None or listens(namespace, address, port),
                seconds=START_SECONDS,
                what=f"coturn on port {port}",
            )
        assert process.poll() is None, (place / "log").read_text()[-3000:]
        yield TurnServer(address, secret, PORT, TLS_PORT)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
