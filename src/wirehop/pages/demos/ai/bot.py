"""A bot that asks now and then, in a conversation of its own, so that others have to wait."""

import asyncio
from random import Random
from typing import Final

import msgspec

from wirehop.client import Client, Publication, RequestFailed
from wirehop.pages.demos.ai.desk import FIGURES
from wirehop.pages.demos.ai.turns import Figures

POLITE: Final = 12
"""Nothing is asked while so many are waiting: people shall have a place."""
PAUSES: Final = (1.0, 12.0)
"""Seconds between two questions, at least and at most."""
QUESTIONS: Final = (
    "What is long polling?",
    "Compare the wires in a table",
    "Show me some code",
    "Why do answers stall behind a proxy?",
)


class _Crowd:
    waiting = 0

    def seen(self, publication: Publication) -> None:
        self.waiting = msgspec.convert(publication.data, Figures).waiting


async def ask_now_and_then(client: Client, number: int, random: Random) -> None:
    """Until it is cancelled."""
    crowd = _Crowd()
    conversation = _id(random)
    async with client.subscribe(FIGURES, on_publication=crowd.seen):
        while True:
            await asyncio.sleep(random.uniform(*PAUSES))
            if crowd.waiting >= POLITE:
                continue
            question = {"conversation": conversation, "message": _id(random), "text": random.choice(QUESTIONS)}
            try:
                await client.rpc("ai.ask", {**question, "seed": str(number)})
            except RequestFailed:  # there is no room, in the queue or in the conversation
                conversation = _id(random)


def _id(random: Random) -> str:
    return f"{random.getrandbits(96):024x}"
