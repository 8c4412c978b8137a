"""A Channels site whose browsers join groups by text commands.

`EVENTS_SITE_REDIS` names its Redis, several with blanks between; `EVENTS_SITE_LAYER` the form of its layer,
`EVENTS_SITE_OPTIONS` what that is made with beside the usual, or in its place.
"""

import asyncio
import json
import os
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path
from layer_forms import FORMS

FORM = FORMS[os.environ.get("EVENTS_SITE_LAYER", "core")]
LAYER = {
    "BACKEND": FORM.backend,
    "CONFIG": {
        "hosts": os.environ["EVENTS_SITE_REDIS"].split(),
        "capacity": 10_000,
        **FORM.configuration,
        **json.loads(os.environ.get("EVENTS_SITE_OPTIONS", "{}")),
    },
}
settings.configure(
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["*"],
    CHANNEL_LAYERS={"default": LAYER},
    BROADCAST_WEBSOCKET_SECRET=os.environ.get("EVENTS_SITE_NODE_SECRET", ""),
)


class Commands(AsyncWebsocketConsumer):
    """`join G`, `leave G`, `send G TEXT`, `tell CHANNEL TEXT`, `name`, `wait SECONDS`, `pid`, `close`, `fail`.

    What handlers get is marked so.
    """

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        command, _, rest = (text_data or "").partition(" ")
        group, _, text = rest.partition(" ")
        if command == "join":
            await self.channel_layer.group_add(group, self.channel_name)
        elif command == "leave":
            await self.channel_layer.group_discard(group, self.channel_name)
        elif command == "send":
            await self.channel_layer.group_send(group, {"type": "chat.message", "text": text})
        elif command == "tell":
            await self.channel_layer.send(group, {"type": "chat.message", "text": text})
        elif command == "name":
            await self.send(self.channel_name)
        elif command == "wait":
            await asyncio.sleep(float(rest))
        elif command == "pid":
            await self.send(str(os.getpid()))
        elif command == "close":
            await self.close(4321)
        elif command == "fail":
            raise RuntimeError("as the browser wished")
        await self.send(f"done {command}")

    async def chat_message(self, message: dict[str, Any]) -> None:
        await self.send(f"chat {message['text']}")

    async def internal_message(self, message: dict[str, Any]) -> None:
        await self.send(f"handled {message['text']}")


class SyncEcho(WebsocketConsumer):
    """Joins its group by a class attribute, from a worker thread."""

    groups = ("everybody",)

    def chat_message(self, message: dict[str, Any]) -> None:
        self.send(f"sync {message['text']}")


application = ProtocolTypeRouter(
    {"websocket": URLRouter([re_path(r"^commands/$", Commands.as_asgi()), re_path(r"^sync/$", SyncEcho.as_asgi())])}
)
