"""Calls to the client that it has not answered: they are pushed again on every new wire, in order."""

from msgspec import Raw

from wirehop.core.messages import Message, Push, PushWh


class Calls:
    """`open` are the pushes by number, `next` is the next number."""

    __slots__ = ("next", "open")

    def __init__(self) -> None:
        self.open: dict[int, Push] = {}
        self.next = 1

    def begin(self, method: str, data: Raw) -> tuple[int, Push]:
        """One more: its number, and how it is said."""
        number = self.next
        self.next += 1
        push = self.open[number] = Push(message=Message(data), wh=PushWh(call=number, method=method))
        return number, push

    def finish(self, number: int) -> bool:
        """It is answered, or nobody waits any more. False for a number that is not open."""
        return self.open.pop(number, None) is not None
