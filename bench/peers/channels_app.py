"""Django Channels as scripts/bench measures it, where it is installed: its layer in memory, under uvicorn.

/echo: every message comes back; /subscribe subscribes; POST publishes by `group_send`.
"""

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        SECRET_KEY="bench",  # noqa: S106 - nothing is signed with it
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1000}}},
    )
    django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

GROUP = "bench"


class Subscriber(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One of the audience."""

    async def connect(self) -> None:
        """Join and accept."""
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, _code: int) -> None:
        """Leave."""
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def publication(self, event: dict[str, str]) -> None:
        """One delivery."""
        await self.send(text_data=event["text"])


class Echo(AsyncWebsocketConsumer):  # type: ignore[misc]
    """What comes goes back."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """One message."""
        await self.send(text_data=text_data, bytes_data=bytes_data)


async def publish(request: HttpRequest) -> HttpResponse:
    """To the group."""
    await get_channel_layer().group_send(GROUP, {"type": "publication", "text": request.body.decode()})
    return HttpResponse(status=201)


urlpatterns = [path("publish", publish)]
app = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("subscribe", Subscriber.as_asgi()), path("echo", Echo.as_asgi())]),
    }
)
