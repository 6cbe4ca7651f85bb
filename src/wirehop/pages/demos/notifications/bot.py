"""People who work on the repository: each does something every few seconds, under a name of its own."""

import asyncio
from random import Random

from wirehop.client import Client
from wirehop.client.errors import RequestFailed
from wirehop.core import codes
from wirehop.pages.demos.notifications.repository import REMARKS, VERBS, Repository, Verb, name_of

WEIGHTS: dict[Verb, int] = {"like": 12, "comment": 6, "mention": 1, "request": 2, "deploy": 2, "fail": 1}


async def work(client: Client, number: int, random: Random) -> None:
    """Until it is cancelled. What is refused because too much happens at once is done another time."""
    items = list(Repository().items.values())
    while True:
        await asyncio.sleep(random.uniform(3.0, 15.0))
        item = random.choice(items)
        verbs = VERBS[item.kind]
        (verb,) = random.choices(verbs, [WEIGHTS[verb] for verb in verbs])
        text = random.choice(REMARKS) if verb in ("comment", "mention") else ""
        act = {"item": item.id, "verb": verb, "by": name_of(number), "text": text}
        try:
            await client.rpc("notices.act", act)
        except RequestFailed as error:
            if error.code != codes.TOO_MANY_REQUESTS.number:
                raise
