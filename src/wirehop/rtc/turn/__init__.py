"""The TURN server of this process: sockets, time and randomness around the machine in `pure/turn`."""

from wirehop.rtc.turn.service import TurnService

__all__ = ["TurnService"]
