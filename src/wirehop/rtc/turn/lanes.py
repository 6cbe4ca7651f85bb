"""The fast lane: ChannelData over UDP, relayed both ways by one look into a dictionary, without asking the machine.

    client → peer    sender + channel of the datagram  → `Outbound`: the relay's socket, the peer
    peer → client    sender, at the relay's socket     → `Inbound`: the channel's header, the client's socket

What follows each other in a batch with the same key and size leaves with one system call. All else, and everything once
the meter has not enough left, goes to the machine, which a test holds to do the same. Times need no look here: the
machine closes a lane when its channel, its permission or its allocation is over.

It knows bytes and sockets. It does not know who may do what.
"""

import socket
from collections.abc import Callable
from typing import Final

from wirehop.rtc.pure.outputs import Path
from wirehop.rtc.pure.rates import Meter
from wirehop.rtc.pure.stun import Address
from wirehop.rtc.turn.datagrams import DatagramSender
from wirehop.rtc.turn.mailbox import HEADER, SLOT, Mailbox

_LENGTH_AT: Final = 14  # as `mailbox` has them
_WORDS: Final = 16


class Relayed:
    """What has been relayed, both ways, fast or not."""

    __slots__ = ("bytes_in", "bytes_out", "packets_in", "packets_out")

    def __init__(self) -> None:
        self.packets_out = self.bytes_out = 0  # to peers
        self.packets_in = self.bytes_in = 0  # to clients


class Lane:
    """One way of one channel."""

    __slots__ = ("address", "head", "meter", "sock")

    def __init__(self, sock: socket.socket, address: Address, meter: Meter, head: bytes = b"") -> None:
        self.sock = sock
        self.address = address
        self.meter = meter
        self.head = head


class ClientSocket:
    """A UDP socket that clients send to."""

    __slots__ = ("_box", "_count", "_received", "_sender", "lanes", "number", "sock")

    def __init__(
        self,
        number: int,
        sock: socket.socket,
        box: Mailbox,
        sender: DatagramSender,
        count: Relayed,
        received: Callable[[Path, bytes], None],
    ) -> None:
        self.number = number
        self.sock = sock
        self.lanes: dict[bytes, Lane] = {}
        self._box = box
        self._sender = sender
        self._count = count
        self._received = received

    def key(self, client: Address, channel: int) -> bytes:
        """Of a lane."""
        return self._box.packed(client) + channel.to_bytes(2, "big")

    def readable(self) -> int:
        """Datagrams have come: relay them, at most a mailbox full. How many there were."""
        box = self._box
        count = box.fill(self.sock)
        memory, view, lengths, find = box.memory, box.view, box.lengths, self.lanes.get
        head_bytes = box.sender + HEADER
        key_bytes = head_bytes - 2
        last, last_length, lane = b"", -1, None
        run: list[memoryview] = []
        at, word = 0, _LENGTH_AT
        for index in range(count):
            length = lengths[word]
            head = memory[at : at + head_bytes]
            if head != last or length != last_length:
                if run:
                    self._forward(lane, run, last)
                    run = []
                last, last_length = head, length
                lane = find(head[:key_bytes])
                size = head[-2] << 8 | head[-1]
                if lane is not None and HEADER + size > length:
                    lane = None
            if lane is None:
                self._received(self._path(box.source(index)), box.data(index))
                last_length = -1  # the machine may have opened a lane
            else:
                run.append(view[at + head_bytes : at + head_bytes + size])
            at += SLOT
            word += _WORDS
        if run:
            self._forward(lane, run, last)
        return count

    def _forward(self, lane: Lane | None, run: list[memoryview], head: bytes) -> None:
        assert lane is not None
        size, many = len(run[0]), len(run)
        if lane.meter.left < size * many:
            source = self._box.address(head[:-HEADER])
            for each in run:
                self._received(self._path(source), head[-HEADER:] + each)
            return
        lane.meter.left -= size * many
        if many == 1:
            self._sender.send(lane.sock, run[0], lane.address)
        else:
            self._sender.send_all(lane.sock, run, size, lane.address)
        self._count.packets_out += many
        self._count.bytes_out += size * many

    def _path(self, source: Address) -> Path:
        return Path("udp", source[0], source[1], self.number)


class RelaySocket:
    """A relayed address's socket, that peers send to."""

    __slots__ = ("_box", "_count", "_received", "_sender", "lanes", "number", "sock")

    def __init__(
        self,
        number: int,
        sock: socket.socket,
        box: Mailbox,
        sender: DatagramSender,
        count: Relayed,
        received: Callable[[int, Address, bytes], None],
    ) -> None:
        self.number = number
        self.sock = sock
        self.lanes: dict[bytes, Lane] = {}
        self._box = box
        self._sender = sender
        self._count = count
        self._received = received

    def key(self, peer: Address) -> bytes:
        """Of a lane."""
        return self._box.packed(peer)

    def readable(self) -> int:
        """Datagrams have come: relay them, at most a mailbox full. How many there were."""
        box = self._box
        count = box.fill(self.sock)
        memory, view, lengths, find = box.memory, box.view, box.lengths, self.lanes.get
        sender_bytes = box.sender
        data_at = box.data_at
        last, last_length, lane, head = b"", -1, None, b""
        run: list[memoryview] = []
        at, word = 0, _LENGTH_AT
        for index in range(count):
            length = lengths[word]
            sender = memory[at : at + sender_bytes]
            if sender != last or length != last_length:
                if run:
                    self._forward(lane, run, last)
                    run = []
                last, last_length = sender, length
                lane = find(sender)
                if lane is not None:
                    head = lane.head + length.to_bytes(2, "big")
            if lane is None:
                self._received(self.number, box.source(index), box.data(index))
                last_length = -1
            else:
                memory[at + sender_bytes : at + data_at] = head
                run.append(view[at + sender_bytes : at + data_at + length])
            at += SLOT
            word += _WORDS
        if run:
            self._forward(lane, run, last)
        return count

    def _forward(self, lane: Lane | None, run: list[memoryview], sender: bytes) -> None:
        assert lane is not None
        size, many = len(run[0]), len(run)
        taken = (size - HEADER) * many
        if lane.meter.left < taken:
            source = self._box.address(sender)
            for each in run:
                self._received(self.number, source, bytes(each[HEADER:]))
            return
        lane.meter.left -= taken
        if many == 1:
            self._sender.send(lane.sock, run[0], lane.address)
        else:
            self._sender.send_all(lane.sock, run, size, lane.address)
        self._count.packets_in += many
        self._count.bytes_in += taken
