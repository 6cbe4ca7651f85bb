"""What a client asks of the server, over whichever wire is current: which commands may go, and which replies count.

Commands are the application's, the subscriptions' and the presence's. While a trial wire is open nothing is said to the
server of subscriptions: what the current wire still answers to earlier ones counts, and what of it the trial does not
bring is asked for once that has taken over. While it takes over, nothing is said at all. Then everything that has no
reply goes again on the wire that is current.
"""

from wirehop.client.link import Link, LinkState
from wirehop.client.links import Links
from wirehop.client.messages import ClientReply
from wirehop.client.outgoing import Outgoing, Sent, marked
from wirehop.client.outputs import Answered, ClientOutput, Transmit
from wirehop.client.presence import ClientPresence
from wirehop.client.subscription import ClientSubscription
from wirehop.client.subscriptions import ClientSubscriptions
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.messages import Command, CommandWh, Error, PingRequest, RefreshRequest


class ClientCommands:
    """`outgoing` numbers and keeps them, `links` are the wires; `out` takes what comes of it."""

    def __init__(
        self,
        outgoing: Outgoing,
        links: Links,
        subscriptions: ClientSubscriptions,
        presence: ClientPresence,
        out: list[ClientOutput],
    ) -> None:
        self._outgoing = outgoing
        self._links = links
        self._subscriptions = subscriptions
        self._presence = presence
        self._out = out
        self._last_call = 0

    def request(self, command: Command, *, is_closed: bool) -> int:
        """One of the application's; the number under which it is answered. It waits until it may go."""
        self._last_call += 1
        if is_closed:
            self._fail(self._last_call, codes.OUTCOME_UNKNOWN, "the client is closed")
        elif not self._outgoing.add(self._last_call, command):
            self._fail(self._last_call, codes.LIMIT_EXCEEDED, "too many requests wait for a connection")
        else:
            self.flush()
        return self._last_call

    def transmit(self, link: Link, commands: list[Command]) -> None:
        """Say it on this wire, with what every message says of the session."""
        if commands:
            attach = link.attach if link.confirm else 0  # until the server has answered the confirming ping
            self._out.append(Transmit(link.number, marked(commands, attach=attach, acked=self._outgoing.acked)))

    def confirm(self, link: Link) -> None:
        """Say on the wire that it is heard: the confirming ping."""
        link.confirm = self._outgoing.unnumbered()
        self.transmit(link, [Command(link.confirm, ping=PingRequest())])

    def refresh(self, link: Link, token: str) -> int:
        """A fresh token for the session; the id of the command."""
        number = self._outgoing.unnumbered()
        self.transmit(link, [Command(number, refresh=RefreshRequest(token))])
        return number

    def bye(self, link: Link) -> None:
        """The last words: the session ends for good."""
        self.transmit(link, [Command(self._outgoing.next, ping=PingRequest(), wh=CommandWh(bye=True))])

    def flush(self, *, with_connect: bool = False) -> None:
        """Send what may go: nothing while a trial takes over, and of (un)subscribes nothing while one is open."""
        trial, link = self._links.trial, self._links.current
        is_connected = link is not None
        if with_connect and link is None and trial is not None and trial.state is LinkState.CONNECTING:
            link = None if trial.shown else trial
            trial = None
        if link is None or (trial is not None and trial.confirm):
            return
        commands: list[Command] = []
        if trial is None:
            commands += self._subscriptions.commands(is_connected=is_connected)
        if is_connected:
            commands += self._outgoing.ready()
        self.transmit(link, commands)

    def read_presence(self, only: ClientSubscription | None = None) -> None:
        """Ask who is there, in one channel or in all."""
        if self._links.current is not None:
            for command in self._presence.questions(only):
                self.transmit(self._links.current, [command])

    def answered(self, link: Link, reply: ClientReply, now: float) -> None:
        """A reply to a number."""
        sent = self._outgoing.sent.get(reply.id)
        if sent is None:
            return
        is_about_subscriptions = sent.command.subscribe is not None or sent.command.unsubscribe is not None
        if is_about_subscriptions and link.state is LinkState.LEFT:
            return  # it is sent again on the current wire
        _, before = self._outgoing.answered(reply.id)
        self._arrived(before)
        channel = self._subscriptions.asked(reply.id)
        if channel is not None:
            live = self._subscriptions.answered(link, channel, reply, now)
            if live is not None and (live.members is None or not live.rev):
                self.read_presence(live)
        elif not self._presence.answered(reply) and sent.call:
            self._out.append(Answered(sent.call, reply))
        self.flush()

    def accepted(self, below: int) -> None:
        """The server has accepted all numbers below this one."""
        self._arrived(self._outgoing.accepted(below))

    def _arrived(self, sends: list[Sent]) -> None:
        """Sends, which get no reply, have reached the server."""
        self._out += [Answered(sent.call, ClientReply()) for sent in sends if sent.call]

    # ---- when a wire takes over, or does not -------------------------------------------------------------------------

    def again(self, link: Link) -> None:
        """The wire has taken over: what is not answered goes again, with its number."""
        self._subscriptions.renew()
        self.transmit(link, self._outgoing.again())

    # ---- the end -----------------------------------------------------------------------------------------------------

    def begin_anew(self) -> None:
        """The session is over: numbers begin anew, and what was in flight is not known to be done."""
        safe, lost = self._outgoing.begin_anew()
        self._outgoing.put_back(safe)
        self._presence.forget()
        for sent in lost:
            if sent.call:
                self._fail(sent.call, codes.OUTCOME_UNKNOWN)
        self._subscriptions.begin_anew()

    def end(self, reason: str) -> None:
        """No wire will take them any more."""
        for call in self._outgoing.calls():
            self._fail(call, codes.OUTCOME_UNKNOWN, reason)
        self._presence.forget()
        self._subscriptions.end()

    def _fail(self, call: int, code: Code, message: str = "") -> None:
        error = Error(code.number, message or code.text, temporary=False)
        self._out.append(Answered(call, ClientReply(error=error)))
