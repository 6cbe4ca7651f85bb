"""A command in a process group of its own: what it says comes as bytes, and it can be stopped with everything that it
has started.

To stop is to ask (SIGTERM to the group) and, after a grace, to end (SIGKILL to the group). On Windows the first is
CTRL_BREAK, the second `taskkill` with the whole tree. It knows neither lines nor channels.
"""

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from wirehop.core.errors import WirehopError
from wirehop.jobs.records import STDERR, STDOUT

LINGER_SECONDS: Final = 2.0
"""How long what a command has left behind may go on writing, once it has ended, before nobody listens any more."""

ROWS, COLUMNS = 40, 120
"""Of a terminal whose size nobody says."""

IS_WINDOWS: Final = sys.platform == "win32"
Take = Callable[[int, bytes], None]


class StartFailed(WirehopError):
    """There is no such command, or it may not be run. `exit_code` is the shell's: 127 or 126."""

    def __init__(self, program: str, error: OSError) -> None:
        self.exit_code = 127 if isinstance(error, FileNotFoundError) else 126
        super().__init__(f"{program}: {os.strerror(error.errno) if error.errno else error}")


class Exit(Struct, frozen=True):
    """How it ended: `code` is 128 and more where a signal ended it, whose name is `signal`."""

    code: int
    signal: str = ""


class Process(asyncio.SubprocessProtocol):
    """`take(stream, bytes)` is called in the loop; `pause` and `resume` hold the command back by not reading. `ended`
    is done when it has ended and nothing more comes."""

    def __init__(self, take: Take) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Exit] = loop.create_future()
        self.is_stopped = False
        self._loop = loop
        self._take = take
        self._pipes: dict[int, Any] = {}  # those that are open
        self._transport: Any = None
        self._exit: Exit | None = None
        self._is_paused = False
        self._has_spoken = False
        self._killing: asyncio.TimerHandle | None = None

    @classmethod
    async def start(
        cls, command: Sequence[str], take: Take, *, tty: bool = False, env: Mapping[str, str] | None = None
    ) -> "Process":
        """Run it. Raises `StartFailed`."""
        process = cls(take)
        own: dict[str, Any] = {"start_new_session": True}
        if IS_WINDOWS:
            own = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
        ends = _terminal() if tty else None
        out: Any = subprocess.PIPE if ends is None else ends[1]
        try:
            await process._loop.subprocess_exec(
                lambda: process, *command, stdin=None, stdout=out, stderr=out, env=env, **own
            )
        except OSError as error:
            if ends is not None:
                os.close(ends[0])
            raise StartFailed(command[0], error) from None
        finally:
            if ends is not None:
                os.close(ends[1])
        if ends is not None:
            await process._loop.connect_read_pipe(lambda: _Terminal(process), os.fdopen(ends[0], "rb", 0))
        return process

    @property
    def pid(self) -> int:
        """Its number, and its group's."""
        return int(self._transport.get_pid())

    # ---- what it is told ---------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Read nothing: when its pipes are full it waits."""
        self._is_paused = True
        for pipe in self._pipes.values():
            pipe.pause_reading()

    def resume(self) -> None:
        """Read again."""
        self._is_paused = False
        for pipe in self._pipes.values():
            pipe.resume_reading()

    def send(self, number: int) -> None:
        """Pass a signal on to the group, or to what is left of it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if IS_WINDOWS:
                self._transport.send_signal(signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined,unused-ignore]
            else:
                os.killpg(self.pid, number)

    def stop(self, grace: float) -> None:
        """Ask it to end; after `grace` seconds it is ended."""
        if self.ended.done() or self.is_stopped:
            return
        self.is_stopped = True
        self.send(signal.SIGTERM)
        self._killing = self._loop.call_later(grace, self.kill)

    def kill(self) -> None:
        """End it, with everything that it has started."""
        self.is_stopped = True
        if not IS_WINDOWS:
            self.send(signal.SIGKILL)
        elif self._exit is None:
            subprocess.Popen(["taskkill", "/T", "/F", "/PID", str(self.pid)])  # noqa: S603, S607 - Windows' own

    # ---- what it does ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        for stream in (STDOUT, STDERR):
            pipe = self._transport.get_pipe_transport(stream)
            if pipe is not None:
                self._pipes[stream] = pipe

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._has_spoken = True
        self._take(fd, bytes(data))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._pipes.pop(fd, None)
        self._perhaps_ended()

    def process_exited(self) -> None:
        code = self._transport.get_returncode()
        self._exit = Exit(code) if code >= 0 else Exit(128 - code, _signal_name(-code))
        if self._killing is not None:
            self._killing.cancel()
        if self.is_stopped:
            self.kill()  # what it has left behind
        self._linger()
        self._perhaps_ended()

    def opened(self, pipe: asyncio.BaseTransport) -> None:
        """The terminal, which both streams share."""
        self._pipes[STDOUT] = pipe
        if self._is_paused:
            self.pause()

    def _linger(self) -> None:
        """Listen as long as something comes from what it has left behind."""
        if not self._pipes:
            return
        if self._has_spoken or self._is_paused:
            self._has_spoken = False
            self._loop.call_later(LINGER_SECONDS, self._linger)
            return
        for pipe in list(self._pipes.values()):
            pipe.close()
        self._pipes.clear()
        self._perhaps_ended()

    def _perhaps_ended(self) -> None:
        if self._exit is not None and not self._pipes and not self.ended.done():
            self.ended.set_result(self._exit)
            self._transport.close()


class _Terminal(asyncio.Protocol):
    """The other end of a command's terminal. On Linux its end is an error (EIO)."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process.opened(transport)

    def data_received(self, data: bytes) -> None:
        self._process.pipe_data_received(STDOUT, data)

    def connection_lost(self, exc: Exception | None) -> None:
        is_end = exc is None or (isinstance(exc, OSError) and exc.errno == errno.EIO)
        self._process.pipe_connection_lost(STDOUT, None if is_end else exc)


def _terminal() -> tuple[int, int]:
    """Ours and the command's end of a new terminal, as large as the one that we are on."""
    if IS_WINDOWS:
        raise StartFailed("--tty", OSError(errno.ENOSYS, ""))
    import fcntl
    import pty
    import struct
    import termios

    ours, its = pty.openpty()
    rows, columns = ROWS, COLUMNS
    with contextlib.suppress(OSError):
        size = os.get_terminal_size(1)
        rows, columns = size.lines, size.columns
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return ours, its


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
