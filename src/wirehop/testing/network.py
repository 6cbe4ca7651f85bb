"""A network without time: one link is two queues, and the test decides what moves when.

link = VirtualLink()
link.up.send(b"…"); link.up.deliver()      # in order, like TCP
link.cut()                                  # what was in flight is gone; both ends learn it
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Direction(Generic[T]):
    """One way of a link: items in flight, in order."""

    __slots__ = ("dropped", "in_flight", "receive")

    def __init__(self) -> None:
        self.in_flight: deque[T] = deque()
        self.dropped = 0
        self.receive: Callable[[T], None] = lambda _item: None

    def __len__(self) -> int:
        return len(self.in_flight)

    def send(self, item: T) -> None:
        """Put it on the way."""
        self.in_flight.append(item)

    def deliver(self) -> None:
        """The oldest item arrives."""
        self.receive(self.in_flight.popleft())

    def drop(self) -> None:
        """Everything in flight is lost."""
        self.dropped += len(self.in_flight)
        self.in_flight.clear()


class VirtualLink(Generic[T]):
    """Two directions, `up` and `down`. After `cut` nothing can be sent."""

    __slots__ = ("down", "is_open", "up")

    def __init__(self) -> None:
        self.up: Direction[T] = Direction()
        self.down: Direction[T] = Direction()
        self.is_open = True

    def cut(self) -> None:
        """Lose what is in flight and close."""
        self.up.drop()
        self.down.drop()
        self.is_open = False
