"""The tables of the machines: what is not in them is refused and changes nothing, and what happens is in them.

First every state × every input, each state reached by inputs alone; then long random runs of whole conversations, in
which every transition that is seen must stand in the table, and every row of the table must be seen.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import wraps
from typing import Any

import pytest
from msgspec.structs import replace

from wirehop.client.machine import ClientMachine
from wirehop.client.messages import ClientConnectResult, ClientPush, ClientReply
from wirehop.client.states import CLIENT_TABLE, ClientInput, ClientState
from wirehop.core import codes
from wirehop.core.effects import Admitted, Failure, Grant
from wirehop.core.errors import LocalProtocolError
from wirehop.core.limits import Limits
from wirehop.core.messages import (
    CONNECT_ID,
    Command,
    ConnectRequest,
    Disconnect,
    Error,
    PingRequest,
    Position,
    Publication,
    SubscribeRequest,
)
from wirehop.core.recovery import HistoryPage
from wirehop.core.session import Session
from wirehop.core.slot import SLOT_TABLE, Slot, SlotInput, SlotState, Started
from wirehop.core.states import SESSION_TABLE, SessionInput, SessionState
from wirehop.core.subscription import SUBSCRIPTION_TABLE, Subscription, SubscriptionInput, SubscriptionState
from wirehop.core.table import Table
from wirehop.core.terms import Terms
from wirehop.testing.pair import Pair

LIMITS = Limits()
EMPTY = HistoryPage((), Position("e", 5))
TABLES: list[Table[Any, Any]] = [SLOT_TABLE, SUBSCRIPTION_TABLE, SESSION_TABLE, CLIENT_TABLE]
ENUMS: dict[str, tuple[type[Enum], type[Enum]]] = {
    "slot": (SlotState, SlotInput),
    "subscription": (SubscriptionState, SubscriptionInput),
    "session": (SessionState, SessionInput),
    "client": (ClientState, ClientInput),
}


def snapshot(machine: object) -> dict[str, object]:
    """All that a machine is made of, whatever its attributes are called; containers by their content."""
    names = [name for kind in type(machine).__mro__ for name in getattr(kind, "__slots__", ())]
    names += list(getattr(machine, "__dict__", {}))
    values = {name: getattr(machine, name) for name in names if hasattr(machine, name)}
    return {name: repr(value) if isinstance(value, list | dict | set) else value for name, value in values.items()}


# ---- the tables by themselves
# ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_state_is_reached_and_left(table: Table[Any, Any]) -> None:
    states, inputs = ENUMS[table.name]
    first = next(iter(states))
    reached = {first}
    while (
        new := {after for (state, _), targets in table.rows.items() if state in reached for after in targets} - reached
    ):
        reached |= new
    assert reached == set(states)
    assert {given for _, given in table.rows} == set(inputs)
    last = list(states)[-1]
    assert all(targets == (last,) for (state, _), targets in table.rows.items() if state is last), "the end is the end"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_machine_can_be_ended_in_every_state(table: Table[Any, Any]) -> None:
    states, inputs = ENUMS[table.name]
    last_input, last_state = list(inputs)[-1], list(states)[-1]
    for state in states:
        assert table.allows(state, last_input, last_state), f"{state.name} cannot be ended"


# ---- every state × every input
# -----------------------------------------------------------------------------------------


def slot_in(state: SlotState, delivery: str) -> Slot | None:
    """A slot in this state, by inputs alone; None where the class has no such state."""
    slot = Slot("c", delivery)
    if state is SlotState.NEW:
        return slot
    slot.start(LIMITS, is_paused=delivery == "signal" and state is SlotState.LAGGING)
    if state in (SlotState.LIVE, SlotState.LAGGING) and delivery != "signal":
        slot.page(EMPTY, LIMITS, tail_from=0)
    if state is SlotState.LAGGING and delivery != "signal":
        slot.pause()
    if state is SlotState.CLOSED:
        slot.stop()
    return slot if slot.state is state else None


SLOT_INPUTS: dict[SlotInput, Callable[[Slot], object]] = {
    SlotInput.START: lambda slot: slot.start(LIMITS),
    SlotInput.PAGE: lambda slot: slot.page(EMPTY, LIMITS, tail_from=0),
    SlotInput.GAP: lambda slot: slot.gap(LIMITS),
    SlotInput.PAUSE: lambda slot: slot.pause(),
    SlotInput.DRAIN: lambda slot: slot.drain(LIMITS),
    SlotInput.STOP: lambda slot: slot.stop(),
}


@pytest.mark.parametrize("delivery", ["log", "latest", "signal"])
@pytest.mark.parametrize("given", SlotInput)
@pytest.mark.parametrize("state", SlotState)
def test_a_slot_takes_what_its_table_says_and_refuses_the_rest(
    state: SlotState, given: SlotInput, delivery: str
) -> None:
    slot = slot_in(state, delivery)
    if slot is None:
        assert delivery == "signal"
        assert state is SlotState.CATCHING_UP
        return
    enters(SLOT_TABLE, slot, state, given, SLOT_INPUTS[given])


def enters(table: Table[Any, Any], machine: Any, state: Enum, given: Enum, call: Callable[[Any], object]) -> None:
    before = snapshot(machine)
    if (state, given) in table.rows:
        call(machine)
        assert table.allows(state, given, machine.state), f"{state} {given} led to {machine.state}"
        return
    with pytest.raises(LocalProtocolError) as caught:
        call(machine)
    assert (caught.value.machine, caught.value.state, caught.value.call) == (table.name, state.name, given.name)
    assert snapshot(machine) == before, "it was refused, and something has changed"


def subscription_in(state: SubscriptionState) -> Subscription:
    subscription = Subscription(SubscribeRequest("c"), 1)
    if state in (SubscriptionState.OPENING, SubscriptionState.OPEN):
        subscription.granted(Grant())
    if state is SubscriptionState.OPEN:
        subscription.started(Started(False, (), Position("e", 5)))
    if state is SubscriptionState.ENDED:
        subscription.end()
    assert subscription.state is state
    return subscription


SUBSCRIPTION_INPUTS: dict[SubscriptionInput, Callable[[Subscription], object]] = {
    SubscriptionInput.GRANT: lambda subscription: subscription.granted(Grant()),
    SubscriptionInput.START: lambda subscription: subscription.started(Started(False, (), Position("e", 5))),
    SubscriptionInput.END: lambda subscription: subscription.end(),
}


@pytest.mark.parametrize("given", SubscriptionInput)
@pytest.mark.parametrize("state", SubscriptionState)
def test_a_subscription_takes_what_its_table_says_and_refuses_the_rest(
    state: SubscriptionState, given: SubscriptionInput
) -> None:
    enters(SUBSCRIPTION_TABLE, subscription_in(state), state, given, SUBSCRIPTION_INPUTS[given])


CONNECT = Command(1, connect=ConnectRequest())


def session_in(state: SessionState) -> Session:
    session = Session("me", Terms(LIMITS, None), now=0.0)
    if state in (SessionState.CONNECTING, SessionState.CONNECTED):
        session.receive(CONNECT, 0.0)
    if state is SessionState.CONNECTED:
        session.answer(1, Admitted(), 0.0)
    if state is SessionState.CLOSED:
        session.lost()
    session.take()
    assert session.state is state
    return session


SESSION_INPUTS: dict[SessionInput, list[Callable[[Session], object]]] = {
    SessionInput.CONNECT: [lambda session: session.receive(CONNECT, 0.0)],
    SessionInput.ADMIT: [lambda session: session.answer(1, Admitted(), 0.0)],
    SessionInput.COMMAND: [
        lambda session: session.receive(Command(2, ping=PingRequest()), 0.0),
        lambda session: session.receive(Command(2), 0.0),
        lambda session: session.receive(Command(2, ping=PingRequest()), 0.0, 1 << 20),
    ],
    SessionInput.END: [lambda session: session.end(codes.SHUTDOWN), lambda session: session.lost()],
}


@pytest.mark.parametrize("given", SessionInput)
@pytest.mark.parametrize("state", SessionState)
def test_a_session_never_raises_for_what_comes_from_outside(state: SessionState, given: SessionInput) -> None:
    """All of its inputs are remote or answers: what is not in the table is a command like others, or is ignored."""
    for call in SESSION_INPUTS[given]:
        session = session_in(state)
        call(session)
        if (state, given) in SESSION_TABLE.rows:
            assert SESSION_TABLE.allows(state, given, session.state)
        elif given is SessionInput.CONNECT:  # where no connect is expected it is one more command
            assert SESSION_TABLE.allows(state, SessionInput.COMMAND, session.state)
        else:  # an answer that nobody waits for
            assert session.state is state
            assert session.take() == []


def test_a_refused_connect_ends_the_session_as_the_table_says() -> None:
    session = session_in(SessionState.CONNECTING)
    session.answer(1, Failure(codes.UNAUTHORIZED), 0.0)
    assert SESSION_TABLE.allows(SessionState.CONNECTING, SessionInput.END, session.state)


def client_in(state: ClientState) -> ClientMachine:
    client = ClientMachine(ConnectRequest(), jitter=lambda: 0.5)
    if state is ClientState.IDLE:
        return client
    client.connect()
    if state in (ClientState.CONNECTING, ClientState.CONNECTED):
        client.opened(1, 0.0)
    if state is ClientState.CONNECTED:
        client.received(1, ADMITTED, 0.0)
    if state is ClientState.WAITING:
        client.lost(1, 1006, "", 0.0)
    if state is ClientState.CLOSED:
        client.close()
    client.take()
    assert client.state is state
    return client


ADMITTED = ClientReply(CONNECT_ID, connect=ClientConnectResult(client="me", ping=25, pong=True))
CLIENT_CALLS: dict[ClientInput, Callable[[ClientMachine], object]] = {
    ClientInput.CONNECT: lambda client: client.connect(),
    ClientInput.CLOSE: lambda client: client.close(),
}
"""What its own side calls: out of place it is a mistake, and raises."""
CLIENT_EVENTS: dict[ClientInput, list[Callable[[ClientMachine], object]]] = {
    ClientInput.OPENED: [lambda client: client.opened(1, 0.0)],
    ClientInput.ADMITTED: [lambda client: client.received(1, ADMITTED, 0.0)],
    ClientInput.LOST: [lambda client: client.lost(1, 1006, "", 0.0), lambda client: client.lost(1, 3500, "", 0.0)],
    ClientInput.RETRY: [lambda client: client.tick(1e9)],
}
"""What the network and time bring: out of place it is ignored, and never raises."""


@pytest.mark.parametrize("given", CLIENT_CALLS)
@pytest.mark.parametrize("state", ClientState)
def test_a_client_takes_what_its_table_says_and_refuses_the_rest(state: ClientState, given: ClientInput) -> None:
    enters(CLIENT_TABLE, client_in(state), state, given, CLIENT_CALLS[given])


@pytest.mark.parametrize("given", CLIENT_EVENTS)
@pytest.mark.parametrize("state", ClientState)
def test_a_client_never_raises_for_what_the_network_and_time_bring(state: ClientState, given: ClientInput) -> None:
    for call in CLIENT_EVENTS[given]:
        client = client_in(state)
        call(client)
        if (state, given) in CLIENT_TABLE.rows:
            assert CLIENT_TABLE.allows(state, given, client.state)
        elif given is ClientInput.RETRY and state in (ClientState.CONNECTING, ClientState.CONNECTED):  # silence
            assert CLIENT_TABLE.allows(state, ClientInput.LOST, client.state)
        else:
            assert client.state is state


@pytest.mark.parametrize("temporary", [False, True])
def test_a_client_whose_connect_is_refused_waits_or_ends(temporary: bool) -> None:
    client = client_in(ClientState.CONNECTING)
    client.received(1, ClientReply(CONNECT_ID, error=Error(100, "no", temporary=temporary)), 0.0)
    assert client.state is (ClientState.WAITING if temporary else ClientState.CLOSED)
    assert CLIENT_TABLE.allows(ClientState.CONNECTING, ClientInput.LOST, client.state)


@pytest.mark.parametrize(("code", "after"), [(3001, ClientState.WAITING), (3500, ClientState.CLOSED)])
@pytest.mark.parametrize("state", [ClientState.CONNECTING, ClientState.CONNECTED])
def test_a_disconnect_push_is_a_lost_wire_with_its_code(state: ClientState, code: int, after: ClientState) -> None:
    client = client_in(state)
    client.received(1, ClientReply(push=ClientPush(disconnect=Disconnect(code, ""))), 0.0)
    assert client.state is after
    assert CLIENT_TABLE.allows(state, ClientInput.LOST, after)


# ---- what is seen in long runs
# -------------------------------------------------------------------------------------------

Seen = dict[tuple[Enum, Enum], set[Enum]]


def watch(
    monkeypatch: pytest.MonkeyPatch, machine: type, methods: dict[str, Callable[[Any, tuple[Any, ...]], Enum]]
) -> Seen:
    """Note each call of these methods: the state before, the input, the state after.

    Where one noted call happens inside of another (an `end` inside of a `receive`), the outer one led to the state in
    which the inner one began.
    """
    seen: Seen = {}
    running: list[list[Any]] = []  # of each running call: the machine, and where it led if that is known already

    def noted(method: Callable[..., Any], input_of: Callable[[Any, tuple[Any, ...]], Enum]) -> Callable[..., Any]:
        @wraps(method)
        def call(self: Any, *args: Any, **options: Any) -> Any:
            before, given = self.state, input_of(self, args)
            for outer in running:
                if outer[0] is self and outer[1] is None:
                    outer[1] = before
            running.append([self, None])
            try:
                return method(self, *args, **options)
            finally:
                _, led_to = running.pop()
                seen.setdefault((before, given), set()).add(led_to if led_to is not None else self.state)

        return call

    for name, input_of in methods.items():
        monkeypatch.setattr(machine, name, noted(getattr(machine, name), input_of))
    return seen


def always(given: Enum) -> Callable[[Any, tuple[Any, ...]], Enum]:
    return lambda _machine, _args: given


def received(session: Session, args: tuple[Any, ...]) -> Enum:
    is_connect = session.state is SessionState.NEW and args[0].connect is not None and args[0].id
    return SessionInput.CONNECT if is_connect else SessionInput.COMMAND


def run_conversations(count: int) -> None:
    """Whole conversations of a pair, at random but the same each time, through everything that can happen."""
    for seed in range(count):
        choose = random.Random(seed)
        delivery = choose.choice(["log", "log", "latest", "signal"])
        pair = Pair(delivery=delivery, log_size=choose.choice([1, 10]), limits=Limits(page_publications=1))
        pair.subscribe("a")
        pair.subscribe("b")
        for step in range(60):
            converse(pair, choose, step)
        pair.settle(compares_tops=True)
        if choose.random() < 0.5:
            pair.client.close()
            pair.run_client()


def converse(pair: Pair, choose: random.Random, number: int) -> None:
    node, link, wire = pair.node, pair.link, pair.wire
    is_up = link is not None and link.is_open
    possible: list[Callable[[], object]] = [lambda: pair.publish(choose.choice("ab"), number, key="k")]
    if pair.broker.to_node:
        possible += [node.hear] * 2
    if node.has_flush:
        possible += [node.flush] * 2
    for index in range(len(node.calls)):
        possible.append(lambda index=index: (node.read if node.wants_read(index) else node.answer)(index))  # type: ignore[misc]
    if link is not None and link.up:
        possible += [link.up.deliver] * 2
    if link is not None and link.down:
        possible += [link.down.deliver] * 2
    if pair.client.state is ClientState.WAITING:
        possible += [pair.reconnect] * 3
    trouble = choose.random() < 0.15
    if trouble and is_up and wire is not None:
        possible = [pair.cut, wire.resume if wire.is_paused else wire.pause]
        possible += [lambda: wire.session.unsubscribe("a", codes.INSUFFICIENT_STATE, 0.0), wire.run]
        if choose.random() < 0.1:
            wire.session.end(codes.SHUTDOWN)
            possible = [wire.run]
    elif trouble and choose.random() < 0.2:
        possible = [pair.broker.restart]
    elif is_up and wire is not None and wire.is_paused and choose.random() < 0.2:
        possible = [wire.resume]
    choose.choice(possible)()


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Seen]]:
    with monkeypatch.context() as patch:
        yield {
            "slot": watch(patch, Slot, {given.name.lower(): always(given) for given in SlotInput}),
            "subscription": watch(
                patch,
                Subscription,
                {
                    "granted": always(SubscriptionInput.GRANT),
                    "started": always(SubscriptionInput.START),
                    "end": always(SubscriptionInput.END),
                },
            ),
            "session": watch(
                patch,
                Session,
                {"receive": received, "end": always(SessionInput.END), "lost": always(SessionInput.END)},
            ),
            "client": watch(
                patch,
                ClientMachine,
                {
                    "connect": always(ClientInput.CONNECT),
                    "opened": always(ClientInput.OPENED),
                    "close": always(ClientInput.CLOSE),
                    "lost": always(ClientInput.LOST),
                },
            ),
        }


@pytest.fixture(scope="module")
def seen() -> dict[str, Seen]:
    patch = pytest.MonkeyPatch()
    with watched(patch) as noted:
        run_conversations(600)
    return noted


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_whatever_happens_in_conversations_stands_in_the_table(table: Table[Any, Any], seen: dict[str, Seen]) -> None:
    noted = seen[table.name]
    assert len(noted) > 3
    for (state, given), targets in noted.items():
        for after in targets:
            assert table.allows(state, given, after), f"{table.name}: {state.name} {given.name} led to {after.name}"


def test_the_rows_of_a_slot_are_not_wider_than_what_happens(seen: dict[str, Seen]) -> None:
    """A row that never happens is a row that nobody has tried."""
    noted = seen["slot"]
    missing = {
        (state.name, given.name, after.name)
        for (state, given), targets in SLOT_TABLE.rows.items()
        for after in targets
        if after not in noted.get((state, given), set())
    }
    assert missing <= {
        ("NEW", "START", "LAGGING"),  # a signal channel on a wire that is full already
        ("NEW", "STOP", "CLOSED"),  # `start` follows the grant at once
        ("LAGGING", "GAP", "LAGGING"),  # a session compares tops of live slots only
        ("CATCHING_UP", "GAP", "CATCHING_UP"),
        ("LIVE", "GAP", "LIVE"),  # a signal channel has no gaps to tell of
        ("CLOSED", "STOP", "CLOSED"),
    }, missing


def test_the_watch_finds_a_slot_that_leaves_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Slot.pause

    def wrong(self: Slot) -> None:
        right(self)
        if self.state is SlotState.CATCHING_UP:
            self.state = SlotState.LAGGING

    monkeypatch.setattr(Slot, "pause", wrong)
    with watched(monkeypatch) as noted:
        slot = slot_in(SlotState.CATCHING_UP, "log")
        assert slot is not None
        slot.pause()
    (after,) = noted["slot"][SlotState.CATCHING_UP, SlotInput.PAUSE]
    assert not SLOT_TABLE.allows(SlotState.CATCHING_UP, SlotInput.PAUSE, after)  # type: ignore[arg-type]


def test_a_page_may_lead_a_slot_to_each_state_of_its_row() -> None:
    """The widest row of all, one way for each."""
    live = slot_in(SlotState.CATCHING_UP, "log")
    again = slot_in(SlotState.CATCHING_UP, "log")
    paused = slot_in(SlotState.CATCHING_UP, "log")
    lost = slot_in(SlotState.LIVE, "log")
    assert live is not None
    assert again is not None
    assert paused is not None
    assert lost is not None
    again.published(9, 9, "e", LIMITS)
    paused.pause()
    lost.gap(LIMITS)
    publication = Publication(b"1", offset=9)
    pages = {live: EMPTY, again: EMPTY, paused: EMPTY, lost: HistoryPage((), Position("e", 9), is_complete=False)}
    for slot, page in pages.items():
        slot.page(page, LIMITS, tail_from=9)
    states = {slot.state for slot in pages}
    assert states == set(SLOT_TABLE.rows[SlotState.CATCHING_UP, SlotInput.PAGE])
    more = slot_in(SlotState.LIVE, "log")
    assert more is not None
    more.gap(LIMITS)
    more.page(replace(EMPTY, publications=(publication,), has_more=True), LIMITS, tail_from=0)
    assert more.state is SlotState.CATCHING_UP
