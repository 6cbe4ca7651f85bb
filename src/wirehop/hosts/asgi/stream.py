"""A response body being sent, piece by piece: the request's own coroutine writes it.

Buffers that wait at once become one message. An ASGI application cannot drop a connection, so what is aborted ends
after the last piece that the server took: cut between two writes, never inside one. It knows HTTP messages; it does
not know what they carry.
"""

import asyncio

from wirehop.abc import Framing, Listener, Out
from wirehop.hosts.asgi.options import AsgiOptions, Message, Send
from wirehop.hosts.asgi.outflow import Outflow
from wirehop.hosts.asgi.watch import Wires, log, tell_closed
from wirehop.hosts.native.flow import VOID

_ENDED, _LOST = 1000, 1006
_LAST: Message = {"type": "http.response.body", "body": b"", "more_body": False}
_LAST_SECONDS = 1.0  # for the last message of an aborted stream


class AsgiStream:
    """Implements `abc.Stream`. Without a body (HEAD, 204, 304) `out` forgets what it is given."""

    __slots__ = ("_code", "_flow", "_is_cut", "_is_lost", "_is_told", "_listener", "_scope", "_wires", "framing",
                 "head", "out")  # fmt: skip

    def __init__(
        self, wires: Wires, options: AsgiOptions, listener: Listener, *, head: Message, has_body: bool
    ) -> None:
        self.framing: Framing = "identity"
        self.head = head
        self._wires = wires
        self._listener = listener
        self._flow = Outflow(options, listener, self._give_up)
        self.out: Out = self._flow if has_body else VOID
        self._scope: asyncio.Timeout | None = None
        self._code = _LOST  # what the listener will hear
        self._is_told = False
        self._is_lost = False
        self._is_cut = False

    def send(self, data: bytes) -> None:
        """Write `data` (not empty); ignored after the end."""
        self.out.write(data)

    def end(self) -> None:
        """Finish the body after all that was written."""
        if self._flow.is_open:
            self.out = VOID
            self._code = _ENDED
            self._flow.end()
            asyncio.get_running_loop().call_soon(self._tell, "")

    def abort(self, reason: str) -> None:
        """End after what the server has taken already, whatever is unsent."""
        self._cut()
        self._tell(reason)

    def lost(self) -> None:
        """The peer is gone."""
        self._is_lost = True
        self._cut()
        self._tell("")

    def never_began(self) -> None:
        """The peer went before the stream; the listener hears of it in the next turn."""
        self._flow.discard()
        self.out = VOID
        asyncio.get_running_loop().call_soon(self._tell, "")

    async def run(self, send: Send) -> None:
        """Send it all. Returns at its end, however that comes; cancelled, the wire is lost."""
        flow = self._flow
        try:
            async with asyncio.timeout(None) as scope:
                self._scope = scope
                if not self._is_cut:
                    await send(self.head)
                while not self._is_cut and (items := await flow.next()):
                    data = items[0] if len(items) == 1 else b"".join(items)
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                    flow.sent(len(data))
                if not self._is_cut:
                    await send(dict(_LAST))
        except TimeoutError:
            if not self._is_cut:
                raise
        except OSError:  # ASGI HTTP spec 2.4: sending to a peer that is gone
            self._is_lost = True
        except asyncio.CancelledError:  # the server stops and waits no longer
            await _send_last(send)
            raise
        finally:
            self._scope = None
            was_cut = self._is_cut
            flow.discard()
            self.out = VOID
            self._tell("")
        if was_cut and not self._is_lost:
            await _send_last(send)

    # ---- within --------------------------------------------------------------------------------------------

    def _give_up(self, name: str, reason: str) -> None:
        self._wires.counters[name] += 1
        self.abort(reason)

    def _cut(self) -> None:
        self._is_cut = True
        self._flow.discard()
        self.out = VOID
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(0.0)

    def _tell(self, reason: str) -> None:
        if not self._is_told:
            self._is_told = True
            tell_closed(self._listener, self._code, reason)


async def _send_last(send: Send) -> None:
    try:
        async with asyncio.timeout(_LAST_SECONDS):
            await send(dict(_LAST))
    except Exception:  # whatever the server thinks of it: nothing more can be done
        log.debug("the end of an aborted stream could not be sent", exc_info=True)
