"""The peer of the comparison: AWX's browser endpoint on stock Channels, for daphne.

Written from the protocol's description; sign-in and rights are left out, so daphne does less work here than on an AWX
node. `RELAY_BENCH_REDIS` names the Redis. With `RELAY_BENCH_DATABASE`, a file that `sign_in` has made, everybody must
be signed in, which Channels looks up in that database.
"""

import json
import os
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.http.cookie import parse_cookie
from django.urls import re_path

AWX_CAPACITY = 10_000
AWX_GROUP_EXPIRY = 157_784_760
DENIED = {"error": "access denied to channel"}

LAYER = {
    "BACKEND": "channels_redis.core.RedisChannelLayer",
    "CONFIG": {
        # redis-py 8 gives up reading after 5 s, which breaks quiet clients of the stock layer; AWX's has no limit.
        "hosts": [{"address": os.environ["RELAY_BENCH_REDIS"], "socket_timeout": None}],
        "capacity": AWX_CAPACITY,
        "group_expiry": AWX_GROUP_EXPIRY,
    },
}
DATABASE = os.environ.get("RELAY_BENCH_DATABASE")
SIGNED_IN: dict[str, Any] = {
    "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
}
settings.configure(
    SECRET_KEY="relay-bench",
    ALLOWED_HOSTS=["*"],
    CHANNEL_LAYERS={"default": LAYER},
    USE_TZ=True,
    **(SIGNED_IN if DATABASE else {}),
)


class BrowserConsumer(AsyncWebsocketConsumer):
    """One browser: accept, replace the groups at each command, pass the texts on."""

    async def connect(self) -> None:
        self.joined: set[str] = set()
        self.csrf_token = _cookie(self.scope, "csrftoken")
        if DATABASE and not self.scope["user"].is_authenticated:
            await self.close()
            return
        await self.accept()
        await self._send_json({"accept": True, "user": 0})

    async def disconnect(self, code: int) -> None:
        for group in self.joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        command = json.loads(text_data or "")
        if not self.csrf_token or command.get("xrftoken") != self.csrf_token:
            await self._send_json(DENIED)
        elif "groups" in command:
            await self._replace_groups(command["groups"])

    async def _replace_groups(self, groups: dict[str, list[Any]]) -> None:
        wanted: set[str] = set()
        for key, values in groups.items():
            if not isinstance(values, list):
                await self._send_json(DENIED)
                return
            wanted.update(f"{key}-{value}" for value in values)
        left, new = self.joined - wanted, wanted - self.joined
        for group in left:
            await self.channel_layer.group_discard(group, self.channel_name)
        for group in new:
            await self.channel_layer.group_add(group, self.channel_name)
        self.joined = wanted
        await self._send_json({"groups_current": list(wanted), "groups_left": list(left), "groups_joined": list(new)})

    async def internal_message(self, event: dict[str, Any]) -> None:
        """The handler of the type `internal.message`."""
        await self.send(event["text"])

    async def _send_json(self, value: dict[str, Any]) -> None:
        await self.send(json.dumps(value))


def _cookie(scope: dict[str, Any], name: str) -> str:
    headers = dict(scope["headers"])
    return parse_cookie(headers.get(b"cookie", b"").decode("latin-1")).get(name, "")


def build() -> Any:
    """The application; what looks users up can only be imported with a database."""
    routes = URLRouter([re_path(r"^websocket/$", BrowserConsumer.as_asgi())])
    if not DATABASE:
        return ProtocolTypeRouter({"websocket": routes})
    import django

    django.setup()
    from channels.auth import AuthMiddlewareStack

    return ProtocolTypeRouter({"websocket": AuthMiddlewareStack(routes)})


application = build()
