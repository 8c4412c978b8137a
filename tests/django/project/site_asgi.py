"""The project's pages and consumers."""

import os
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django_application = get_asgi_application()


class Shout(AsyncWebsocketConsumer):
    """Everybody gets in capital letters what anybody says."""

    groups = ("everybody",)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.channel_layer.group_send("everybody", {"type": "shout", "text": text_data})

    async def shout(self, message: dict[str, Any]) -> None:
        await self.send(message["text"].upper())


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the first version")


def count_made_by_tests(request: HttpRequest) -> HttpResponse:
    from django.contrib.contenttypes.models import ContentType

    return HttpResponse(str(ContentType.objects.filter(app_label="made_by_a_test").count()))


urlpatterns = [path("page/", page), path("made-by-tests/", count_made_by_tests)]
websockets = URLRouter([path("ws/", Shout.as_asgi())])
application = ProtocolTypeRouter({"http": django_application, "websocket": websockets})
