"""The demos inside somebody else's ASGI application, below a prefix, under uvicorn: `mounted:app` and who runs it."""

import contextlib
import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wirehop.mount import AsgiApp
from wirehop.pages.app import demo_node
from wirehop.settings.dev import dev

LOOPBACK = "127.0.0.1"
PREFIX = "/of/others/rt"
START_SECONDS = 20.0


async def others(scope: Any, _receive: Any, send: Any) -> None:
    """All that is not below the prefix: nothing is there."""
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan here")
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


app = AsgiApp(demo_node(dev()), others, prefix=PREFIX)


@contextmanager
def mounted(log: Path) -> Iterator[str]:
    """Run it; the URL of the prefix."""
    from .servers import free_port, until

    port = free_port()
    command = ["-m", "uvicorn", f"{Path(__file__).stem}:app", "--host", LOOPBACK, "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "--log-level", "warning"],
            cwd=Path(__file__).parent, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def is_up() -> bool:
        assert process.poll() is None, log.read_text()
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request("GET", f"{PREFIX}/ready")
            return connection.getresponse().status == 200
        return False

    try:
        until(is_up, seconds=START_SECONDS, what="uvicorn serves", every=0.1)
        yield f"http://{LOOPBACK}:{port}{PREFIX}"
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    assert "Traceback" not in log.read_text(), log.read_text()
