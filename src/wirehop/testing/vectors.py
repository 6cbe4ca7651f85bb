"""Vectors: recorded conversations of the client's machine, which every implementation of it must repeat exactly.

A vector is a JSON object: `request` (the connect request), `jitter` (numbers given out in turn, the last one again and
again), and `steps`. A step is an input (`do`, at the time `at`, with its arguments) and the `outputs` that follow, each
an object with one key; `deadline` is when the machine wants to be ticked next (null: never). The page
`protocol/vectors/README.md` describes both.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from wirehop.client.machine import ClientMachine
from wirehop.client.messages import ClientReply
from wirehop.client.outputs import (
    Answered,
    CallArrived,
    ClientOutput,
    CloseWire,
    Delivered,
    MessageArrived,
    Moved,
    OpenWire,
    Pong,
    PresenceChanged,
    RefreshWanted,
    StateChanged,
    Subscribed,
    Synced,
    Transmit,
    TrialFailed,
    Unsubscribed,
)
from wirehop.codecs.json_lines import encode_command
from wirehop.core.messages import Command, ConnectRequest, Error, Position

Vector = dict[str, Any]


class Player:
    """Plays the steps of a vector on the Python machine."""

    def __init__(self, vector: Vector) -> None:
        self._jitter: list[float] = list(vector.get("jitter", [0.0]))
        request = msgspec.convert(vector.get("request", {}), ConnectRequest)
        self.machine = ClientMachine(request, jitter=self._draw)

    def _draw(self) -> float:
        return self._jitter.pop(0) if len(self._jitter) > 1 else self._jitter[0]

    def play(self, step: Vector) -> tuple[list[Vector], float | None]:
        """Do what the step says; the outputs, and the next deadline."""
        machine, now = self.machine, float(step.get("at", 0.0))
        inputs: dict[str, Callable[[], object]] = {
            "connect": machine.connect,
            "opened": lambda: machine.opened(step["wire"], now),
            "received": lambda: machine.received(step["wire"], _reply(step["reply"]), now),
            "lost": lambda: machine.lost(step["wire"], step.get("code", 0), step.get("reason", ""), now),
            "tick": lambda: machine.tick(now),
            "move": lambda: machine.move(tuple(step.get("to", ())), now, reason=step.get("reason", "")),
            "subscribe": lambda: machine.subscribe(
                step["channel"],
                position=_position(step.get("position")),
                join_leave=step.get("join_leave", False),
            ),
            "unsubscribe": lambda: machine.unsubscribe(step["channel"]),
            "request": lambda: machine.request(msgspec.convert(_raw_data(step["command"]), Command)),
            "abandon": lambda: machine.abandon(step["call"]),
            "answer": lambda: machine.answer(
                step["number"],
                Raw(msgspec.json.encode(step.get("data"))),
                msgspec.convert(step["error"], Error) if "error" in step else None,
            ),
            "refreshed": lambda: machine.refreshed(step["token"]),
            "close": machine.close,
        }
        inputs[step["do"]]()
        deadline = machine.deadline()
        return [told(output) for output in machine.take()], None if deadline is None else round(deadline, 6)


def record(vector: Vector) -> Vector:
    """The vector with the outputs that the Python machine gives."""
    player, steps = Player(vector), []
    for step in vector["steps"]:
        outputs, deadline = player.play(step)
        steps.append({**step, "outputs": outputs, "deadline": deadline})
    return {**vector, "steps": steps}


def told(output: ClientOutput) -> Vector:
    """An output as it stands in a vector."""
    match output:
        case OpenWire(wire, to, is_move, _):
            return {"open": {"wire": wire, "to": list(to), "move": is_move}}
        case Transmit(wire, commands):
            return {"transmit": {"wire": wire, "commands": [msgspec.json.decode(encode_command(c)) for c in commands]}}
        case Pong(wire):
            return {"pong": {"wire": wire}}
        case CloseWire(wire, is_bye):
            return {"close": {"wire": wire, "bye": is_bye}}
        case Moved(wire, is_resumed):
            return {"moved": {"wire": wire, "resumed": is_resumed}}
        case TrialFailed(wire, code, _):
            return {"trial_failed": {"wire": wire, "code": code}}
        case Delivered(channel, publication):
            data = msgspec.json.decode(publication.data)
            return {"deliver": {"channel": channel, "offset": publication.offset, "data": data}}
        case Subscribed(channel, recovered, position, is_by_server):
            place = None if position is None else {"epoch": position.epoch, "offset": position.offset}
            said = {"channel": channel, "recovered": recovered, "position": place, "by_server": is_by_server}
            return {"subscribed": said}
        case Unsubscribed(channel, code, _):
            return {"unsubscribed": {"channel": channel, "code": code}}
        case PresenceChanged(channel, join, leave):
            what, change = ("join", join) if join is not None else ("leave", leave)
            return {"presence": {"channel": channel, what: change.info.client if change is not None else ""}}
        case Answered(call, reply):
            return {"answered": {"call": call, "error": 0 if reply.error is None else reply.error.code}}
        case MessageArrived(data):
            return {"message": {"data": msgspec.json.decode(data)}}
        case CallArrived(number, method, data):
            return {"call": {"number": number, "method": method, "data": msgspec.json.decode(data)}}
        case RefreshWanted():
            return {"refresh_wanted": {}}
        case Synced(is_synced):
            return {"synced": is_synced}
        case StateChanged(state, code, _, delay):
            return {"state": {"state": state.name.lower(), "code": code, "delay": round(delay, 6)}}


def _reply(reply: Vector) -> ClientReply:
    return msgspec.json.decode(msgspec.json.encode(reply), type=ClientReply)


def _raw_data(command: Vector) -> Vector:
    """`data` of a request is a JSON value in the vector, and bytes in the machine."""
    return {
        kind: {**request, "data": Raw(msgspec.json.encode(request["data"]))} if "data" in request else request
        for kind, request in command.items()
    }


def _position(position: Vector | None) -> Position | None:
    return None if position is None else Position(position["epoch"], position["offset"])
