"""Who may enter a session of remote assistance: whoever the person who shares says yes to.

A session has a short *code*, to be said on the telephone, and a channel whose name nobody can guess. Who knows the code
may ask; who shares is called with that and answers; only who was approved is told the channel. What happens in it is
the channel's own business: its history is the audit list.

    rpc `assist.open` {code, secret}  → {code, secret, channel}     a new session, or one's own again (after a reload)
    rpc `assist.ask` {code}           → {}                          the answer comes as a call of the server
    rpc `assist.end` {code, secret}   → {}                          nobody can ask any more
    call `assist.asked` {client, name} to who shares               → {approved}
    call `assist.answer` {channel} or {reason} to who has asked
"""

import asyncio
import secrets
from dataclasses import dataclass, field

from msgspec import Struct

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.node import Client, Node

CODE_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without those that are mistaken for others."""
CODE_LENGTH = 8
MOST_SESSIONS = 1000
"""The one that was opened first goes, when there is one too many."""
MOST_ASKING = 8
"""People who wait for an answer, of one session."""
ANSWER_SECONDS = 120.0


class OpenRequest(Struct):
    """Empty for a new session; the code and the secret of one's own to come back to it."""

    code: str = ""
    secret: str = ""


class Opened(Struct):
    """`secret` is for who shares, to come back with; `channel` is where the session takes place."""

    code: str
    secret: str
    channel: str


class AskRequest(Struct):
    """The code, as it was said."""

    code: str


class Asked(Struct):
    """Who wants to help."""

    client: str
    name: str


class Answer(Struct, omit_defaults=True):
    """To who has asked: where to go, or why not."""

    channel: str = ""
    reason: str = ""


@dataclass(slots=True)
class Assistance:
    """One session."""

    opened: Opened
    sharer: Client
    asking: set[str] = field(default_factory=set)


class AssistanceDesk:
    """The sessions of this process, by code."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sessions: dict[str, Assistance] = {}

    async def open(self, client: Client, request: OpenRequest) -> Opened:
        """Begin a session, or come back to one's own."""
        known = self._own(request)
        if known is not None:
            known.sharer = client
            return known.opened
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        opened = Opened(code, secrets.token_hex(16), f"assist:{secrets.token_hex(16)}")
        self._sessions[code] = Assistance(opened, client)
        return opened

    async def ask(self, client: Client, request: AskRequest) -> dict[str, str]:
        """Ask to be let in."""
        session = self._sessions.get(request.code)
        if session is None:
            raise Refused(codes.UNKNOWN_CHANNEL, "there is no session with this code")
        if len(session.asking) >= MOST_ASKING or client.id in session.asking:
            raise Refused(codes.LIMIT_EXCEEDED, "too many are waiting for an answer")
        session.asking.add(client.id)
        self._node.spawn(self._pass_on(session, client))
        return {}

    async def end(self, _client: Client, request: OpenRequest) -> dict[str, str]:
        """End one's own session: its code opens nothing from now on."""
        if self._own(request) is None:
            raise Refused(codes.UNKNOWN_CHANNEL, "there is no such session, or it is not yours")
        del self._sessions[request.code]
        return {}

    def _own(self, request: OpenRequest) -> Assistance | None:
        session = self._sessions.get(request.code)
        if session is None or not secrets.compare_digest(session.opened.secret.encode(), request.secret.encode()):
            return None
        return session

    async def _pass_on(self, session: Assistance, client: Client) -> None:
        try:
            answer = await self._answer(session, client)
            await client.call("assist.answer", answer, timeout=ANSWER_SECONDS)
        except (Refused, TimeoutError):
            return  # who has asked has gone
        finally:
            session.asking.discard(client.id)

    async def _answer(self, session: Assistance, client: Client) -> Answer:
        asked = Asked(client.id, client.user)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                said = await session.sharer.call("assist.asked", asked, timeout=ANSWER_SECONDS)
        except TimeoutError:
            return Answer(reason="nobody answered")
        except Refused as error:
            return Answer(reason="the person who shares is away" if error.code is codes.OUTCOME_UNKNOWN else str(error))
        approved = isinstance(said, dict) and said.get("approved") is True
        if approved and self._sessions.get(session.opened.code) is session:
            return Answer(channel=session.opened.channel)
        return Answer(reason="the person who shares has said no")


def install_assistance(node: Node) -> AssistanceDesk:
    """Register the methods."""
    desk = AssistanceDesk(node)
    node.rpc("assist.open")(desk.open)
    node.rpc("assist.ask")(desk.ask)
    node.rpc("assist.end")(desk.end)
    return desk
