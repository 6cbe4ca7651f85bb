"""Calls of the server to a client: each is brought to the application once, and its answer goes back like a command."""

from msgspec import Raw, json

from wirehop.client.messages import ClientPush
from wirehop.client.outgoing import Outgoing
from wirehop.client.outputs import CallArrived, ClientOutput, MessageArrived
from wirehop.core.messages import Command, Error, RpcRequest

ANSWER = "wh.answer"


class ServerCalls:
    """Their numbers rise for the life of a session, and the server repeats those that are not answered after a move.
    `out` takes what comes of it."""

    def __init__(self, outgoing: Outgoing, out: list[ClientOutput]) -> None:
        self._outgoing = outgoing
        self._out = out
        self._newest = 0

    def arrived(self, push: ClientPush) -> None:
        """A call, or a message that wants no answer."""
        assert push.message is not None
        if push.wh is None or not push.wh.call:
            self._out.append(MessageArrived(push.message.data))
        elif push.wh.call > self._newest:  # else it was asked before, and is or will be answered
            self._newest = push.wh.call
            self._out.append(CallArrived(push.wh.call, push.wh.method, push.message.data))

    def answer(self, number: int, data: Raw | None, error: Error | None) -> None:
        """What the application answers. Where too much waits already, the server asks again after a move."""
        body = b'{"call":%d,' % number
        body += b'"error":' + json.encode(error) if error is not None else b'"data":' + bytes(data or b"null")
        if not self._outgoing.add(0, Command(rpc=RpcRequest(ANSWER, Raw(body + b"}")))):
            self._newest = min(self._newest, number - 1)

    def begin_anew(self) -> None:
        """Another session: numbers begin anew."""
        self._newest = 0
