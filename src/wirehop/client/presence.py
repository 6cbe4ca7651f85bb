"""Who is in a client's channels: what joins and leaves say, and what is read because some of them may have been missed.

Each change and each reading has a revision of its channel; what is older than what is known changes nothing.
"""

from wirehop.client.messages import ClientReply
from wirehop.client.outgoing import Outgoing
from wirehop.client.outputs import ClientOutput, PresenceChanged
from wirehop.client.subscription import ClientSubscription, ClientSubscriptionState
from wirehop.core.messages import Command, Join, Leave, PresenceRequest


class ClientPresence:
    """`by_channel` are the client's subscriptions, which hold their members; `out` takes what comes of it."""

    def __init__(self, by_channel: dict[str, ClientSubscription], outgoing: Outgoing, out: list[ClientOutput]) -> None:
        self._by_channel = by_channel
        self._outgoing = outgoing
        self._out = out
        self._reading: dict[int, str] = {}  # number of a presence command → channel

    def changed(self, channel: str, join: Join | None, leave: Leave | None) -> None:
        """Somebody came or went."""
        subscription = self._by_channel.get(channel)
        rev = (join.rev if join is not None else 0) or (leave.rev if leave is not None else 0)
        if subscription is None or (rev and rev <= subscription.rev):
            return
        subscription.rev = max(subscription.rev, rev)
        if subscription.members is not None:
            if join is not None:
                subscription.members[join.info.client] = join.info
            elif leave is not None:
                subscription.members.pop(leave.info.client, None)
        self._out.append(PresenceChanged(channel, join, leave))

    def questions(self, only: ClientSubscription | None = None) -> list[Command]:
        """Commands that read who is there, where joins and leaves are watched."""
        commands = []
        for subscription in [only] if only is not None else list(self._by_channel.values()):
            if subscription.join_leave and subscription.state is ClientSubscriptionState.LIVE:
                command = self._outgoing.number(Command(presence=PresenceRequest(subscription.channel)))
                self._reading[command.id] = subscription.channel
                commands.append(command)
        return commands

    def answered(self, reply: ClientReply) -> bool:
        """Who is there; the difference to what was known comes of it. False where the reply is to something else."""
        channel = self._reading.pop(reply.id, None)
        if channel is None:
            return False
        subscription = self._by_channel.get(channel)
        if subscription is None or reply.presence is None or reply.presence.rev < subscription.rev:
            return True
        now, before = reply.presence.presence, subscription.members
        subscription.members, subscription.rev = dict(now), reply.presence.rev
        if before is not None:
            rev = reply.presence.rev
            self._out += [PresenceChanged(channel, Join(now[each], rev), None) for each in now if each not in before]
            self._out += [
                PresenceChanged(channel, None, Leave(before[each], rev)) for each in before if each not in now
            ]
        return True

    def forget(self) -> None:
        """What was asked will not be answered, and the next session may be another server's: its changes count anew."""
        self._reading.clear()
        for subscription in self._by_channel.values():
            subscription.rev = 0
