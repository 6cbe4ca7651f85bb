"""The link of somebody on a train, for pages: late, uneven, and with a tunnel now and then."""

from wirehop.checker.faults import Delay, Fault


def train() -> tuple[Fault, ...]:
    """What is in the way."""
    return (Delay(0.05, 0.03),)
