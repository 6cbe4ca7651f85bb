"""The application's handlers: what may be registered, and what they are given."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from wirehop.core.errors import Refused
from wirehop.node.handlers import Handlers, TypedHandler


class Point(msgspec.Struct):
    x: int
    y: int = 0


async def give(handler: Any, data: bytes, *arguments: object) -> object:
    return await TypedHandler(handler, before=len(arguments))(*arguments, data=data)


@pytest.mark.asyncio
async def test_data_is_decoded_as_the_last_parameter_says() -> None:
    async def point(client: str, data: Point) -> tuple[str, Point]:
        return client, data

    assert await give(point, b'{"x":1}', "c") == ("c", Point(1, 0))


@pytest.mark.asyncio
async def test_without_an_annotation_data_is_plain_json() -> None:
    async def plain(_client: str, data) -> object:  # type: ignore[no-untyped-def]
        return data

    assert await give(plain, b'{"x":[1,null]}', "c") == {"x": [1, None]}


@pytest.mark.asyncio
async def test_raw_is_the_bytes_as_they_are() -> None:
    async def raw(_client: str, data: Raw) -> bytes:
        return bytes(data)

    assert await give(raw, b"{ not even json", "c") == b"{ not even json"


@pytest.mark.asyncio
async def test_a_handler_that_takes_no_data_gets_none() -> None:
    async def nothing(client: str) -> str:
        return client

    assert await give(nothing, b"{broken", "c") == "c"


@pytest.mark.asyncio
async def test_no_data_is_null() -> None:
    async def optional(_client: str, data: int | None) -> object:
        return data

    assert await give(optional, b"", "c") is None


@pytest.mark.asyncio
@pytest.mark.parametrize("data", [b"{}", b'{"x":"1"}', b"[]", b"{", b"", b'{"x":\xff}', b"[" * 50_000])
async def test_data_that_does_not_fit_is_refused_with_107(data: bytes) -> None:
    async def point(_client: str, _data: Point) -> None:
        raise AssertionError

    with pytest.raises(Refused) as refused:
        await give(point, data, "c")
    assert refused.value.code.number == 107
    assert refused.value.message


@pytest.mark.asyncio
async def test_plain_json_that_is_nested_too_deeply_is_refused_with_107() -> None:
    async def plain(_client: str, _data: object) -> None:
        raise AssertionError

    with pytest.raises(Refused) as refused:
        await give(plain, b"[" * 50_000 + b"]" * 50_000, "c")
    assert refused.value.code.number == 107


@pytest.mark.asyncio
async def test_an_error_inside_the_handler_is_not_taken_for_bad_data() -> None:
    async def decodes(_client: str, _data: int) -> object:
        return msgspec.json.decode(b"{")

    with pytest.raises(msgspec.DecodeError):
        await give(decodes, b"1", "c")


def test_a_handler_with_too_few_or_too_many_parameters_is_refused_at_once() -> None:
    async def none() -> None: ...

    async def three(_a: str, _b: str, _c: str) -> None: ...

    for handler in (none, three):
        with pytest.raises(TypeError, match="must take 1 or 2 arguments"):
            TypedHandler(handler, before=1)


def test_each_event_has_one_handler_and_each_method_one_name() -> None:
    async def handler(_client: object) -> None: ...

    handlers = Handlers()
    assert handlers.register("connect", handler) is handler
    with pytest.raises(ValueError, match="on_connect is registered already"):
        handlers.register("connect", handler)
    assert handlers.register_method("m", handler) is handler
    with pytest.raises(ValueError, match="'m' is registered already"):
        handlers.register_method("m", handler)


@pytest.mark.parametrize("what", ["connect", "subscribe", "publish", "disconnect", "message"])
def test_handlers_are_async(what: str) -> None:
    def plain(_client: object, _other: object) -> None: ...

    with pytest.raises(TypeError, match="must be an async function"):
        Handlers().register(what, plain)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="must be an async function"):
        Handlers().register_method("m", plain)  # type: ignore[type-var]


@pytest.mark.asyncio
async def test_methods_of_objects_are_handlers_too() -> None:
    class Application:
        async def add(self, _client: str, data: list[int]) -> int:
            return sum(data)

    handlers = Handlers()
    handlers.register_method("add", Application().add)
    assert await handlers.methods["add"]("c", data=b"[1,2]") == 3
