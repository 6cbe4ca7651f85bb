"""The suite that every presence store must pass, beside the one for brokers: see `wirehop.testing.brokers`."""

from contextlib import AbstractAsyncContextManager

import pytest

from wirehop.core.messages import ClientInfo
from wirehop.testing.recorder import Storage, opened


class PresenceSuite:
    """Members, counts, revisions."""

    is_shared = True

    def brokers(self, count: int) -> AbstractAsyncContextManager[list[Storage]]:
        """`count` stores on one empty storage."""
        raise NotImplementedError

    @pytest.mark.asyncio
    async def test_joins_and_leaves_are_told_once_with_rising_revisions(self) -> None:
        async with opened(self) as [(store, recorder)]:
            await store.subscribe("a")
            await store.enter("a", ClientInfo(user="ada", client="c1"))
            await store.enter("a", ClientInfo(user="ada", client="c1"))
            await store.enter("a", ClientInfo(user="bob", client="c2"))
            await store.leave("a", "c1")
            await store.leave("a", "c1")
            await store.leave("a", "nobody")
            await store.enter("a", ClientInfo(user="ada", client="c1"))
            await recorder.heard(changes=4)
            assert recorder.changes == [
                ("joined", "a", "c1", 1),
                ("joined", "a", "c2", 2),
                ("left", "a", "c1", 3),
                ("joined", "a", "c1", 4),
            ]

    @pytest.mark.asyncio
    async def test_members_and_counts(self) -> None:
        async with opened(self) as [(store, _)]:
            assert await store.members("a") == ({}, 0)
            assert await store.counts("a") == (0, 0)
            infos = [ClientInfo(user=user, client=f"c{n}") for n, user in enumerate(("ada", "ada", "bob", "", ""))]
            for info in infos:
                await store.enter("a", info)
            members, rev = await store.members("a")
            assert (dict(members), rev) == ({info.client: info for info in infos}, 5)
            assert await store.counts("a") == (5, 3)
            assert await store.members("b") == ({}, 0)

    @pytest.mark.asyncio
    async def test_entering_again_replaces_what_is_known(self) -> None:
        async with opened(self) as [(store, _)]:
            await store.enter("a", ClientInfo(user="ada", client="c1"))
            await store.enter("a", ClientInfo(user="bob", client="c1"))
            members, rev = await store.members("a")
            assert (dict(members), rev) == ({"c1": ClientInfo(user="bob", client="c1")}, 1)
            assert await store.counts("a") == (1, 1)

    @pytest.mark.asyncio
    async def test_the_revision_never_falls_back_also_while_nobody_is_there(self) -> None:
        async with opened(self) as [(store, _)]:
            await store.enter("a", ClientInfo(client="c1"))
            await store.leave("a", "c1")
            assert await store.members("a") == ({}, 2)
            await store.enter("a", ClientInfo(client="c1"))
            assert (await store.members("a"))[1] == 3

    @pytest.mark.asyncio
    async def test_what_members_gives_does_not_change_afterwards(self) -> None:
        async with opened(self) as [(store, _)]:
            await store.enter("a", ClientInfo(client="c1"))
            members, _ = await store.members("a")
            await store.leave("a", "c1")
            assert list(members) == ["c1"]
