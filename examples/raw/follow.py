import asyncio
import sys

from wirehop.client import Client


async def follow(url: str) -> None:
    async with Client(url) as client, client.subscribe("news:today") as subscription:
        async for publication in subscription:
            print(publication.data, flush=True)


asyncio.run(follow(sys.argv[1]))
