"""What was found missing in the client's machine, and is there now."""

from wirehop.client.machine import ClientMachine
from wirehop.client.messages import ClientConnectResult, ClientReply
from wirehop.client.outputs import Answered, StateChanged, Transmit
from wirehop.client.states import ClientState
from wirehop.core.messages import CONNECT_ID, Command, ConnectRequest, PublishRequest


def lost_machine(jitter: float) -> StateChanged:
    machine = ClientMachine(ConnectRequest(), jitter=lambda: jitter)
    machine.connect()
    machine.lost(1, 1006, "gone", 0.0)
    changed = [each for each in machine.take() if isinstance(each, StateChanged)]
    return changed[-1]


def test_after_a_restart_of_the_server_its_clients_do_not_all_come_back_at_the_same_moment() -> None:
    assert lost_machine(0.0).delay != lost_machine(0.99).delay


def test_a_request_that_nobody_waits_for_any_more_is_not_sent_when_the_connection_comes() -> None:
    machine = ClientMachine(ConnectRequest(), jitter=lambda: 0.0)
    machine.connect()
    call = machine.request(Command(publish=PublishRequest("c")))
    machine.abandon(call)
    machine.opened(1, 0.0)
    machine.received(1, ClientReply(id=CONNECT_ID, connect=ClientConnectResult()), 0.0)
    assert machine.state is ClientState.CONNECTED
    sent = [command for each in machine.take() if isinstance(each, Transmit) for command in each.commands]
    assert not any(command.publish for command in sent)


def test_a_request_to_a_closed_client_is_answered_at_once() -> None:
    machine = ClientMachine(ConnectRequest(), jitter=lambda: 0.0)
    machine.close()
    call = machine.request(Command(publish=PublishRequest("c")))
    answers = [each for each in machine.take() if isinstance(each, Answered)]
    assert [(each.call, each.reply.error.code if each.reply.error else 0) for each in answers] == [(call, 120)]
