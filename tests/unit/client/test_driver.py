"""The driver with wires that do what the test says: what it hears, and what it does not hear any more."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from wirehop.client.driver import Driver
from wirehop.client.errors import ClientClosed, RequestFailed, WireLost
from wirehop.client.machine import ClientMachine
from wirehop.client.messages import ClientConnectResult, ClientReply
from wirehop.client.outputs import StateChanged
from wirehop.client.states import ClientState
from wirehop.client.wire import Listener
from wirehop.core.messages import CONNECT_ID, Command, ConnectRequest, Disconnect, RpcRequest

ADMITTED = ClientReply(id=CONNECT_ID, connect=ClientConnectResult(client="me"))


class Wire:
    """A wire in the hand of the test. `last_words` is what it raises when it is closed."""

    name = "test"

    def __init__(self) -> None:
        self.sent: list[Command] = []
        self.listener: Any = None
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.last_words: BaseException | None = None
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def run(self, listener: Listener) -> None:
        self.listener = listener
        listener.opened()
        try:
            await self.end
        except asyncio.CancelledError:
            await self.may_end.wait()
            raise self.last_words or asyncio.CancelledError from None

    def send(self, commands: Sequence[Command]) -> None:
        self.sent += commands

    async def finish(self) -> None:
        return


class Desk:
    """A driver, its wires and what it said."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.states: list[StateChanged] = []
        machine = ClientMachine(ConnectRequest(), jitter=lambda: 0.0)
        self.driver = Driver(machine, self.make, names=["test"], on_state=self.states.append)

    def make(self, _name: str) -> Wire:
        self.wires.append(Wire())
        return self.wires[-1]

    async def connected(self) -> Wire:
        connecting = asyncio.ensure_future(self.driver.connect())
        while not self.wires or self.wires[-1].listener is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        self.wires[-1].listener.received([ADMITTED])
        await asyncio.wait_for(connecting, 5)
        return self.wires[-1]


def disconnect(code: int) -> ClientReply:
    from wirehop.client.messages import ClientPush

    return ClientReply(push=ClientPush(disconnect=Disconnect(code, "told to")))


@pytest.mark.asyncio
async def test_the_last_words_of_a_wire_that_was_dropped_are_not_heard() -> None:
    desk = Desk()
    first = await desk.connected()
    first.last_words = WireLost(3500, "too late")
    first.may_end.clear()
    first.listener.received([disconnect(3001)])
    assert desk.driver.state is ClientState.WAITING
    while first in desk.wires and len(desk.wires) == 1:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    first.listener.received([ADMITTED])
    first.may_end.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert desk.driver.state is ClientState.CONNECTING, "what an old wire receives says nothing about the new one"
    assert [change.code for change in desk.states if change.state is ClientState.CLOSED] == []
    await desk.driver.close()


@pytest.mark.asyncio
async def test_what_follows_a_disconnect_in_the_same_message_is_not_read() -> None:
    desk = Desk()
    wire = await desk.connected()
    asked = asyncio.ensure_future(desk.driver.request(Command(rpc=RpcRequest("m"))))
    await asyncio.sleep(0)
    wire.listener.received([disconnect(3503), ClientReply(id=wire.sent[-1].id)])
    with pytest.raises(RequestFailed) as caught:
        await asked
    assert caught.value.code == 120
    assert desk.states[-1] == StateChanged(ClientState.CLOSED, 3503, "told to")


@pytest.mark.asyncio
async def test_a_wire_that_fails_by_a_bug_is_logged_and_the_client_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    wire = await desk.connected()
    wire.end.set_exception(RuntimeError("a bug"))
    while desk.driver.state is ClientState.CONNECTED:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert desk.driver.state is ClientState.WAITING
    assert "the test wire failed" in caplog.text
    await desk.driver.close()
    with pytest.raises(RequestFailed):
        await desk.driver.request(Command(rpc=RpcRequest("m")))


@pytest.mark.asyncio
async def test_closing_before_there_was_a_connection_ends_the_wait() -> None:
    desk = Desk()
    connecting = asyncio.ensure_future(desk.driver.connect())
    await asyncio.sleep(0)
    await desk.driver.close()
    with pytest.raises(ClientClosed):
        await asyncio.wait_for(connecting, 5)
    assert desk.driver.is_closed_by_application


@pytest.mark.asyncio
async def test_a_request_that_its_caller_gave_up_does_not_disturb_the_answer_that_comes() -> None:
    desk = Desk()
    wire = await desk.connected()
    asked = asyncio.ensure_future(desk.driver.request(Command(rpc=RpcRequest("m"))))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    wire.listener.received([ClientReply(id=wire.sent[-1].id)])
    assert desk.driver.state is ClientState.CONNECTED
    await desk.driver.close()
