"""The suite that every broker and presence store must pass: what `wirehop.abc` promises, written once.

    class TestMine(BrokerSuite, PresenceSuite):           # PresenceSuite is in wirehop.testing.presence
        @asynccontextmanager
        async def brokers(self, count):
            ...
            yield [MyBroker(...) for _ in range(count)]   # strangers that share one storage; opened by the suite

A broker of one process, for which two instances share nothing, sets `is_shared = False`, and what needs two is left
out. The suite sleeps nowhere: what must arrive is waited for with a limit, what must not is asked after something that
must.
"""

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest
from msgspec import structs

from wirehop.abc import IdempotencyConflict, PublishOptions
from wirehop.core.messages import ClientInfo, PayloadKind, Position, Publication
from wirehop.testing.recorder import SECONDS, Storage, numbers, opened, publication

LOG = PublishOptions()
LATEST = PublishOptions(delivery="latest")
SIGNAL = PublishOptions(delivery="signal")
ALL = 1_000_000


class BrokerSuite:
    """Positions, epochs, pages, idempotency, order."""

    is_shared = True

    def brokers(self, count: int) -> AbstractAsyncContextManager[list[Storage]]:
        """`count` brokers on one empty storage."""
        raise NotImplementedError

    # ---- positions -------------------------------------------------------------------------------------------------

    @pytest.mark.asyncio
    async def test_offsets_rise_by_one_from_one_inside_an_epoch(self) -> None:
        async with opened(self) as [(broker, recorder)]:
            await broker.subscribe("a")
            positions = [await broker.publish("a", publication(n), LOG) for n in range(3)]
            assert [position.offset for position in positions] == [1, 2, 3]
            assert len({position.epoch for position in positions}) == 1
            assert positions[0].epoch
            await recorder.heard(publications=3)
            assert [(name, each.offset, each.data, epoch) for name, each, epoch in recorder.publications] == [
                ("a", 1, b"0", positions[0].epoch),
                ("a", 2, b"1", positions[0].epoch),
                ("a", 3, b"2", positions[0].epoch),
            ]

    @pytest.mark.asyncio
    async def test_channels_are_numbered_apart(self) -> None:
        async with opened(self) as [(broker, _)]:
            await broker.publish("a", publication(1), LOG)
            await broker.publish("a", publication(2), LOG)
            assert (await broker.publish("b", publication(1), LOG)).offset == 1

    @pytest.mark.asyncio
    async def test_names_that_look_alike_are_different_channels(self) -> None:
        names = [
            "a",
            "A",
            "a ",
            "a:b",
            "a*",
            "a?",
            "a[b]",
            "a.b",
            "a>",
            "é",
            "e\u0301",
            "a/b",
            "a%2Fb",
            "{a}",
            "a" * 255,
        ]
        async with opened(self) as [(broker, recorder)]:
            for name in names:
                await broker.subscribe(name)
            for number, name in enumerate(names):
                assert (await broker.publish(name, publication(number), LOG)).offset == 1
            await recorder.heard(publications=len(names))
            assert [numbers(await broker.history(name, None, limit=9, max_bytes=ALL)) for name in names] == [
                [number] for number in range(len(names))
            ]
            assert {name: [int(each.data) for each in recorder.of(name)] for name in names} == {
                name: [number] for number, name in enumerate(names)
            }

    @pytest.mark.asyncio
    async def test_a_publication_comes_back_as_it_was(self) -> None:
        sent = [
            Publication(
                '{"\u2028":"\\u0000 ü"}'.encode(),
                info=ClientInfo(user="ada", client="c1"),
                tags={"event": "x", "ü": "\n"},
                time=1_700_000_000_123,
            ),
            Publication(b"text\r\n", kind=PayloadKind.TEXT),
            Publication(bytes(range(256)), kind=PayloadKind.BINARY),
            Publication(b"", kind=PayloadKind.BINARY),
        ]
        async with opened(self) as [(broker, recorder)]:
            await broker.subscribe("a")
            for each in sent:
                await broker.publish("a", each, LOG)
            await recorder.heard(publications=len(sent))
            expected = [structs.replace(each, offset=n) for n, each in enumerate(sent, 1)]
            assert recorder.of("a") == expected
            assert list((await broker.history("a", None, limit=9, max_bytes=ALL)).publications) == expected

    @pytest.mark.asyncio
    async def test_concurrent_publishes_get_different_positions_and_arrive_in_their_order(self) -> None:
        async with opened(self) as [(broker, recorder)]:
            await broker.subscribe("a")
            positions = await asyncio.gather(*(broker.publish("a", publication(n), LOG) for n in range(50)))
            assert sorted(position.offset for position in positions) == list(range(1, 51))
            await recorder.heard(publications=50)
            assert [each.offset for each in recorder.of("a")] == list(range(1, 51))
            data = {position.offset: n for n, position in enumerate(positions)}
            assert [int(each.data) for each in recorder.of("a")] == [data[offset] for offset in range(1, 51)]
            page = await broker.history("a", None, limit=100, max_bytes=ALL)
            assert list(page.publications) == recorder.of("a")

    @pytest.mark.asyncio
    async def test_signals_have_no_position_and_no_history(self) -> None:
        async with opened(self) as [(broker, recorder)]:
            await broker.subscribe("a")
            for n in range(3):
                assert await broker.publish("a", publication(n), SIGNAL) == Position("", 0)
            await recorder.heard(publications=3)
            assert [(each.data, each.offset, epoch) for _, each, epoch in recorder.publications] == [
                (b"0", 0, ""),
                (b"1", 0, ""),
                (b"2", 0, ""),
            ]
            assert (await broker.history("a", None, limit=9, max_bytes=ALL)).publications == ()

    @pytest.mark.asyncio
    async def test_who_subscribes_hears_every_later_publication(self) -> None:
        async with opened(self) as [(broker, recorder)]:
            for n in range(20):
                await broker.publish("a", publication(n), LOG)
                if n == 9:
                    await broker.subscribe("a")
                    subscribed_at = 11
            await broker.subscribe("end")
            await broker.publish("end", publication(0), LOG)
            async with asyncio.timeout(SECONDS):
                while not recorder.of("end"):
                    await recorder.heard(publications=len(recorder.publications) + 1)
            heard = [each.offset for each in recorder.of("a")]
            assert heard[-(21 - subscribed_at) :] == list(range(subscribed_at, 21))

    @pytest.mark.asyncio
    async def test_after_close_nothing_is_heard(self) -> None:
        async with opened(self) as [(broker, recorder)]:
            await broker.subscribe("a")
            await broker.publish("a", publication(1), LOG)
            await recorder.heard(publications=1)
            await broker.close()
            assert len(recorder.publications) == 1

    # ---- history ---------------------------------------------------------------------------------------------------

    @pytest.mark.asyncio
    async def test_pages_forwards(self) -> None:
        async with opened(self) as [(broker, _)]:
            for n in range(1, 8):
                top = await broker.publish("a", publication(n), LOG)

            async def page(since: int | None, limit: int) -> tuple[list[int], bool, bool]:
                position = None if since is None else Position(top.epoch, since)
                page = await broker.history("a", position, limit=limit, max_bytes=ALL)
                assert page.top == top
                return numbers(page), page.is_complete, page.has_more

            assert await page(None, 3) == ([1, 2, 3], True, True)
            assert await page(None, 7) == ([1, 2, 3, 4, 5, 6, 7], True, False)
            assert await page(0, 100) == ([1, 2, 3, 4, 5, 6, 7], True, False)
            assert await page(3, 2) == ([4, 5], True, True)
            assert await page(5, 2) == ([6, 7], True, False)
            assert await page(7, 10) == ([], True, False)
            read_top = await broker.history("a", None, limit=0, max_bytes=0)
            assert (read_top.publications, read_top.top) == ((), top)

    @pytest.mark.asyncio
    async def test_pages_backwards(self) -> None:
        async with opened(self) as [(broker, _)]:
            for n in range(1, 8):
                top = await broker.publish("a", publication(n), LOG)

            async def page(since: int | None, limit: int) -> list[int]:
                position = None if since is None else Position(top.epoch, since)
                return numbers(await broker.history("a", position, limit=limit, max_bytes=ALL, reverse=True))

            assert await page(None, 3) == [7, 6, 5]
            assert await page(5, 2) == [4, 3]
            assert await page(3, 100) == [2, 1]
            assert await page(1, 100) == []

    @pytest.mark.asyncio
    async def test_pages_are_cut_at_their_bytes_but_hold_at_least_one(self) -> None:
        async with opened(self) as [(broker, _)]:
            for n in range(10, 15):
                await broker.publish("a", publication(n), LOG)
            page = await broker.history("a", None, limit=9, max_bytes=4)
            assert (numbers(page), page.has_more) == ([10, 11], True)
            page = await broker.history("a", None, limit=9, max_bytes=1)
            assert (numbers(page), page.has_more) == ([10], True)
            page = await broker.history("a", None, limit=9, max_bytes=10)
            assert (numbers(page), page.has_more) == ([10, 11, 12, 13, 14], False)

    @pytest.mark.asyncio
    async def test_a_position_that_is_no_good_gives_nothing_and_says_so(self) -> None:
        async with opened(self) as [(broker, _)]:
            for n in range(3):
                top = await broker.publish("a", publication(n), LOG)
            for since in (Position("other", 1), Position("", 1), Position(top.epoch, 4)):
                page = await broker.history("a", since, limit=9, max_bytes=ALL)
                assert (page.publications, page.is_complete, page.top) == ((), False, top)

    @pytest.mark.asyncio
    async def test_only_so_many_are_kept_and_who_is_further_behind_is_told(self) -> None:
        options = PublishOptions(history_size=3)
        async with opened(self) as [(broker, _)]:
            for n in range(1, 6):
                top = await broker.publish("a", publication(n), options)
            assert numbers(await broker.history("a", None, limit=9, max_bytes=ALL)) == [3, 4, 5]
            complete = await broker.history("a", Position(top.epoch, 2), limit=9, max_bytes=ALL)
            assert (numbers(complete), complete.is_complete) == ([3, 4, 5], True)
            behind = await broker.history("a", Position(top.epoch, 1), limit=9, max_bytes=ALL)
            assert (numbers(behind), behind.is_complete) == ([], False)

    @pytest.mark.asyncio
    async def test_a_log_that_keeps_nothing_still_numbers(self) -> None:
        options = PublishOptions(history_size=0)
        async with opened(self) as [(broker, recorder)]:
            await broker.subscribe("a")
            first = await broker.publish("a", publication(1), options)
            second = await broker.publish("a", publication(2), options)
            assert (first.offset, second.offset, first.epoch) == (1, 2, second.epoch)
            await recorder.heard(publications=2)
            page = await broker.history("a", second, limit=9, max_bytes=ALL)
            assert (page.publications, page.is_complete) == ((), True)
            page = await broker.history("a", first, limit=9, max_bytes=ALL)
            assert (page.publications, page.is_complete) == ((), False)

    @pytest.mark.asyncio
    async def test_a_channel_that_was_only_read_continues_from_what_the_reader_was_told(self) -> None:
        async with opened(self) as [(broker, _)]:
            for name, options in (("a", LOG), ("b", LATEST)):
                empty = await broker.history(name, None, limit=0, max_bytes=0)
                assert (empty.publications, empty.top.offset, bool(empty.top.epoch)) == ((), 0, True)
                await broker.publish(name, publication(1), options)
                page = await broker.history(name, empty.top, limit=9, max_bytes=ALL)
                assert (numbers(page), page.is_complete) == ([1], True)

    # ---- latest ----------------------------------------------------------------------------------------------------

    @pytest.mark.asyncio
    async def test_latest_keeps_the_newest_value_of_each_key_in_offset_order(self) -> None:
        async with opened(self) as [(broker, _)]:
            for n, key in enumerate(("x", "y", "x", "", "z", "y"), 1):
                top = await broker.publish("a", publication(n, key), LATEST)
            page = await broker.history("a", None, limit=9, max_bytes=ALL)
            assert [(each.key, each.offset) for each in page.publications] == [("x", 3), ("", 4), ("z", 5), ("y", 6)]
            page = await broker.history("a", Position(top.epoch, 4), limit=9, max_bytes=ALL)
            assert ([each.offset for each in page.publications], page.is_complete) == ([5, 6], True)

    @pytest.mark.asyncio
    async def test_latest_from_a_position_that_is_no_good_gives_all_values_and_says_so(self) -> None:
        async with opened(self) as [(broker, _)]:
            for n, key in enumerate("xyz", 1):
                await broker.publish("a", publication(n, key), LATEST)
            page = await broker.history("a", Position("other", 2), limit=9, max_bytes=ALL)
            assert (numbers(page), page.is_complete) == ([1, 2, 3], False)

    @pytest.mark.asyncio
    async def test_latest_keeps_so_many_keys_and_who_missed_a_forgotten_one_is_told(self) -> None:
        options = PublishOptions(delivery="latest", key_limit=2)
        async with opened(self) as [(broker, _)]:
            for n, key in enumerate("xyz", 1):
                top = await broker.publish("a", publication(n, key), options)
            page = await broker.history("a", Position(top.epoch, 0), limit=9, max_bytes=ALL)
            assert (numbers(page), page.is_complete) == ([2, 3], False)
            page = await broker.history("a", Position(top.epoch, 1), limit=9, max_bytes=ALL)
            assert (numbers(page), page.is_complete) == ([2, 3], True)

    # ---- idempotency -----------------------------------------------------------------------------------------------

    @pytest.mark.asyncio
    async def test_the_same_key_and_bytes_are_one_publication(self) -> None:
        options = PublishOptions(idempotency_key="k", publisher="ada")
        async with opened(self) as [(broker, recorder)]:
            await broker.subscribe("a")
            positions = [await broker.publish("a", publication(7), options) for _ in range(3)]
            assert len(set(positions)) == 1
            end = await broker.publish("a", publication(8), LOG)
            assert end.offset == 2
            await recorder.heard(publications=2)
            assert [int(each.data) for each in recorder.of("a")] == [7, 8]

    @pytest.mark.asyncio
    async def test_concurrent_publishes_with_one_key_are_one_publication(self) -> None:
        options = PublishOptions(idempotency_key="k", publisher="ada")
        async with opened(self) as [(broker, _)]:
            positions = await asyncio.gather(*(broker.publish("a", publication(7), options) for _ in range(10)))
            assert len(set(positions)) == 1
            assert numbers(await broker.history("a", None, limit=99, max_bytes=ALL)) == [7]

    @pytest.mark.asyncio
    async def test_the_same_key_with_other_bytes_is_a_conflict_and_publishes_nothing(self) -> None:
        options = PublishOptions(idempotency_key="k", publisher="ada")
        async with opened(self) as [(broker, _)]:
            await broker.publish("a", publication(7), options)
            with pytest.raises(IdempotencyConflict) as conflict:
                await broker.publish("a", publication(8), options)
            assert conflict.value.key == "k"
            assert numbers(await broker.history("a", None, limit=9, max_bytes=ALL)) == [7]

    @pytest.mark.asyncio
    async def test_keys_are_apart_by_channel_and_publisher(self) -> None:
        async with opened(self) as [(broker, _)]:
            for channel, publisher in (("a", "ada"), ("a", "bob"), ("b", "ada")):
                options = PublishOptions(idempotency_key="k", publisher=publisher)
                await broker.publish(channel, publication(7), options)
            assert numbers(await broker.history("a", None, limit=9, max_bytes=ALL)) == [7, 7]
            assert numbers(await broker.history("b", None, limit=9, max_bytes=ALL)) == [7]

    @pytest.mark.asyncio
    async def test_keys_hold_for_signals_too(self) -> None:
        options = PublishOptions(delivery="signal", idempotency_key="k", publisher="ada")
        async with opened(self) as [(broker, recorder)]:
            await broker.subscribe("a")
            await broker.publish("a", publication(7), options)
            await broker.publish("a", publication(7), options)
            await broker.publish("a", publication(8), SIGNAL)
            await recorder.heard(publications=2)
            assert [int(each.data) for each in recorder.of("a")] == [7, 8]

    # ---- several brokers on one storage -----------------------------------------------------------------------------

    @pytest.mark.asyncio
    async def test_all_nodes_hear_one_order_and_read_one_log(self) -> None:
        if not self.is_shared:
            return
        async with opened(self, 2) as [(first, heard_first), (second, heard_second)]:
            await first.subscribe("a")
            await second.subscribe("a")
            await asyncio.gather(
                *((first, second)[n % 2].publish("a", publication(n), LOG) for n in range(40)),
            )
            await heard_first.heard(publications=40)
            await heard_second.heard(publications=40)
            assert heard_first.of("a") == heard_second.of("a")
            assert [each.offset for each in heard_first.of("a")] == list(range(1, 41))
            pages = [await each.history("a", None, limit=99, max_bytes=ALL) for each in (first, second)]
            assert pages[0] == pages[1]

    @pytest.mark.asyncio
    async def test_one_key_on_two_nodes_is_one_publication(self) -> None:
        if not self.is_shared:
            return
        options = PublishOptions(idempotency_key="k", publisher="ada")
        async with opened(self, 2) as [(first, _), (second, _)]:
            assert await first.publish("a", publication(7), options) == await second.publish(
                "a", publication(7), options
            )
