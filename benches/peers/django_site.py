"""A Django site with one view, and a Channels consumer that sends back what it gets.

Both are asynchronous, and no middleware sends a request to a thread: what is left is Django's share and the server's.
"""

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="relay-bench",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[],
    USE_TZ=True,
)


async def hello(request: HttpRequest) -> HttpResponse:
    body = b"Hello, world!"
    return HttpResponse(body, content_type="text/plain", headers={"Content-Length": len(body)})


class EchoConsumer(AsyncWebsocketConsumer):
    """Each text goes back to whoever sent it."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data)


urlpatterns = [path("", hello)]
application = ProtocolTypeRouter(
    {"http": get_asgi_application(), "websocket": URLRouter([path("", EchoConsumer.as_asgi())])}
)
