"""Vectors of a negotiation: recorded conversations that every implementation of it must repeat exactly.

A vector is a JSON object: `me`, `peer`, `fixed`, `instances` (given out in turn), and `steps`. A step is an input
(`do`, at the time `at`, with its arguments), and what follows: the `outputs`, each an object with one key, the
`deadline` at which the machine wants to be ticked next (null: never), the `state`, and `dropped`, the counts so far.
The page `protocol/vectors/README.md` describes both.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from wirehop.rtc.pure.negotiation import Negotiation
from wirehop.rtc.pure.signals import (
    AddCandidate,
    Apply,
    Candidate,
    Close,
    MakeAnswer,
    MakeOffer,
    NegotiationOutput,
    Open,
    Send,
    Signal,
    StateChanged,
)

Vector = dict[str, Any]


class NegotiationPlayer:
    """Plays the steps of a vector on the Python machine."""

    def __init__(self, vector: Vector) -> None:
        instances: Iterator[str] = iter(vector["instances"])
        self.machine = Negotiation(
            vector["me"],
            vector["peer"],
            new_instance=lambda: next(instances),
            is_fixed=vector.get("fixed", False),
        )

    def play(self, step: Vector) -> Vector:
        """Do what the step says; what follows."""
        machine, now = self.machine, float(step.get("at", 0.0))
        inputs: dict[str, Callable[[], object]] = {
            "needed": lambda: machine.needed(now),
            "restart": lambda: machine.restart(now),
            "received": lambda: machine.received(msgspec.convert(step["signal"], Signal), now),
            "described": lambda: machine.described(step["number"], step["sdp"], now),
            "applied": lambda: machine.applied(step["number"], now),
            "failed": lambda: machine.failed(step["number"], now),
            "candidate": lambda: machine.candidate(msgspec.convert(step["candidate"], Candidate | None)),
            "tick": lambda: machine.tick(now),
            "close": machine.close,
        }
        inputs[step["do"]]()
        outputs = [told(output) for output in machine.take()]
        return {
            "outputs": outputs,
            "deadline": machine.deadline(),
            "state": machine.state.name.lower(),
            "dropped": {reason: count for reason, count in sorted(machine.dropped.items()) if count},
        }


def record(vector: Vector) -> Vector:
    """The vector with what the Python machine makes of it."""
    player = NegotiationPlayer(vector)
    return {**vector, "steps": [{**step, **player.play(step)} for step in vector["steps"]]}


def told(output: NegotiationOutput) -> Vector:
    """An output as it stands in a vector."""
    match output:
        case Open(instance):
            return {"open": {"instance": instance}}
        case MakeOffer(number, restart):
            return {"make_offer": {"number": number, "restart": restart}}
        case MakeAnswer(number):
            return {"make_answer": {"number": number}}
        case Apply(number, kind, sdp):
            return {"apply": {"number": number, "type": kind, "sdp": sdp}}
        case AddCandidate(candidate):
            return {"add_candidate": msgspec.to_builtins(candidate)}
        case Send(signal):
            return {"send": msgspec.to_builtins(signal)}
        case Close(reason):
            return {"close": {"reason": reason}}
        case StateChanged(state, gen):
            return {"state": {"state": state, "gen": gen}}
