"""What the server is told to host."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()

from channels.auth import AuthMiddlewareStack  # noqa: E402  needs Django's settings
from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402

from project import consumers  # noqa: E402

websockets = URLRouter(
    [
        path("websocket/", consumers.EventConsumer.as_asgi()),
        path("ws/chat/<str:room>/", consumers.ChatConsumer.as_asgi()),
        path("ws/echo/", consumers.SyncEcho.as_asgi()),
        path("ws/raise/", consumers.RaisingConsumer.as_asgi()),
        path("ws/silent/", consumers.SilentConsumer.as_asgi()),
        path("ws/killed/", consumers.KilledConsumer.as_asgi()),
        path("ws/late/", consumers.LateConsumer.as_asgi()),
    ]
)
application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": AuthMiddlewareStack(websockets),
        "channel": ChannelNameRouter({"background": consumers.BackgroundConsumer.as_asgi()}),
    }
)
