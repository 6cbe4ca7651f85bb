"""The application's handlers: registered by decorators, called with what they declare.

A handler is an `async def`. The last parameter of an rpc method, and the `data` parameter of `on_publish`, may be
annotated with any type that msgspec can check; without an annotation they get plain JSON values.

`bytes` are a string in base64 on JSON wires, and what was sent, as it is, on those that carry bytes (Protobuf). There
`msgspec.Raw` is also what was sent, JSON or not; every other type wants JSON.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import Raw

from wirehop.core import codes
from wirehop.core.errors import Refused

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[object]])


class TypedHandler:
    """A handler whose last argument is decoded from JSON as its annotation says."""

    __slots__ = ("_decoder", "_takes_bytes", "_takes_data", "call")

    def __init__(self, call: Callable[..., Awaitable[object]], *, before: int) -> None:
        parameters = list(inspect.signature(call).parameters.values())
        if not before <= len(parameters) <= before + 1:
            name = getattr(call, "__qualname__", repr(call))
            raise TypeError(f"{name} must take {before} or {before + 1} arguments, not {len(parameters)}")
        self.call = call
        self._takes_data = len(parameters) == before + 1
        annotation: Any = Any
        if self._takes_data:
            annotation = get_type_hints(call).get(parameters[-1].name, Any)
        self._takes_bytes = annotation is bytes
        self._decoder: msgspec.json.Decoder[Any] | None = (
            None if annotation is Raw else msgspec.json.Decoder(annotation)
        )

    async def __call__(self, *arguments: object, data: bytes, sent: bytes | None = None) -> object:
        """Call it. What does not fit the annotation is refused with 107 and says why. `sent`: the bytes that the client
        sent, where the wire carries bytes."""
        if not self._takes_data:
            return await self.call(*arguments)
        if self._takes_bytes and sent is not None:
            return await self.call(*arguments, sent)
        try:
            value = Raw(data) if self._decoder is None else self._decoder.decode(data or b"null")
        except msgspec.ValidationError as error:
            raise Refused(codes.BAD_REQUEST, str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(codes.BAD_REQUEST, f"data is not JSON: {error}") from None
        return await self.call(*arguments, value)


class Handlers:
    """All handlers of a node. Each `on_…` may be registered once; methods are registered by name."""

    def __init__(self) -> None:
        self.connect: Callable[..., Awaitable[object]] | None = None
        self.subscribe: Callable[..., Awaitable[object]] | None = None
        self.refresh: Callable[..., Awaitable[object]] | None = None
        self.publish: TypedHandler | None = None
        self.disconnect: Callable[..., Awaitable[object]] | None = None
        self.message: TypedHandler | None = None
        self.methods: dict[str, TypedHandler] = {}

    def register(self, what: str, handler: Handler) -> Handler:
        """Register the handler of an event."""
        if getattr(self, what) is not None:
            raise ValueError(f"on_{what} is registered already")
        if not _is_async(handler):
            raise TypeError(f"on_{what} must be an async function")
        if what == "publish":
            self.publish = TypedHandler(handler, before=2)
        elif what == "message":
            self.message = TypedHandler(handler, before=1)
        else:
            setattr(self, what, handler)
        return handler

    def register_method(self, name: str, handler: Handler) -> Handler:
        """Register an rpc method."""
        if name in self.methods:
            raise ValueError(f"the rpc method {name!r} is registered already")
        if not _is_async(handler):
            raise TypeError(f"the rpc method {name!r} must be an async function")
        self.methods[name] = TypedHandler(handler, before=1)
        return handler


def _is_async(handler: object) -> bool:
    return inspect.iscoroutinefunction(handler)
