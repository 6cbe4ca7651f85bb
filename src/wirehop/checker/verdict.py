"""What is wrong with a history: lost, doubled, out of order, falsely recovered, a silent gap, presence that flickers.

Pure. What a client must have seen: from where its subscription began, every publication that the server acknowledged or
that any other client was given, to the end of the run; except for what fell into a gap that the server admitted
(`recovered: false`). Publications are known by their number; positions (epoch, offset) say what lies between two of
them. Without positions, times do: a publication counts as expected only if it was called after the subscription began
and acknowledged before the gap. Each finding carries the slice of the history that shows it.

| kind | what |
| --- | --- |
| `lost` | expected, not seen at rest |
| `doubled` | seen twice, or published twice |
| `out_of_order` | offsets or a publisher's numbers fall, or one position names two publications |
| `false_recovered` | missing, and the server had said `recovered: true` over it |
| `silent_gap` | missing over a restart, or another epoch, with no `recovered: false` between |
| `presence_flicker` | a leave of a client that had not closed, the server running |
"""

from msgspec import Struct

from wirehop.checker.adapter import Left, Opened, Received, Subscribed
from wirehop.checker.history import Closed, History
from wirehop.checker.index import Finding, Index
from wirehop.checker.reader import Reader


def judge(history: History, *, has_presence: bool = True) -> list[Finding]:
    """All that is wrong, in the order of clients."""
    index = Index(history)
    findings = [*index.conflicts, *_orders(index)]
    for client in history.clients:
        readers: dict[str, Reader] = {}
        for entry in history.of(client):
            what = entry.what
            if isinstance(what, Subscribed | Received):
                if what.channel not in readers:
                    readers[what.channel] = Reader(index, client, what.channel)
                readers[what.channel].take(entry.at, what)
        for reader in readers.values():
            findings += reader.finish()
    if has_presence:
        findings += _presence(history, index)
    return findings


def _orders(index: Index) -> list[Finding]:
    """Publications of one client whose offsets do not rise with the order of its calls."""
    last: dict[tuple[str, str, int], tuple[float, int]] = {}
    findings = []
    for (channel, epoch, _offset), number in sorted(index.names.items()):
        found = index.publications[number]
        if (epoch, _offset) != found.places[0]:
            continue  # published twice: that is said elsewhere
        called, before = last.get((channel, epoch, found.publisher), (-1.0, 0))
        if found.called < called or (found.called == called and number < before):
            text = f"client {found.publisher} published {number} before {before}, and it stands behind it"
            since, until = found.called, min(found.first_seen, found.answered)
            findings.append(Finding("out_of_order", found.publisher, channel, since, until, text, number))
            continue
        last[channel, epoch, found.publisher] = (found.called, number)
    return findings


class _Owner(Struct):
    client: int
    since: float
    closed: float


def _presence(history: History, index: Index) -> list[Finding]:
    owners: dict[str, _Owner] = {}
    for client in history.clients:
        for entry in history.of(client):
            if isinstance(entry.what, Opened) and entry.what.who and entry.what.who not in owners:
                owners[entry.what.who] = _Owner(client, entry.at, float("inf"))
            elif isinstance(entry.what, Closed):
                for owner in owners.values():
                    if owner.client == client:
                        owner.closed = min(owner.closed, entry.at)
    findings = []
    for client in history.clients:
        for entry in history.of(client):
            if not isinstance(entry.what, Left) or entry.what.who not in owners:
                continue
            owner = owners[entry.what.who]
            if entry.at < owner.closed and not index.restarted(owner.since, entry.at):
                text = f"client {client} was told that client {owner.client} has left; it had not"
                until = entry.at
                findings.append(
                    Finding("presence_flicker", owner.client, entry.what.channel, until - 1.0, until + 0.5, text)
                )
    return findings
