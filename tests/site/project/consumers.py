"""Websockets: events as AWX's pages get them, a chat, and consumers that do wrong."""

import asyncio
import json
from typing import Any

from channels.consumer import SyncConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer, WebsocketConsumer

CHECKED = ("job_events", "workflow_events", "ad_hoc_command_events")
FORBIDDEN = "access denied to channel"


class EventConsumer(AsyncJsonWebsocketConsumer):
    """The browser's endpoint of the relay era; a user sees jobs whose id is below 1000."""

    async def connect(self) -> None:
        await self.accept()
        self.groups_joined: set[str] = set()
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.send_json({"close": True})
            await self.close()
            return
        await self.send_json({"accept": True, "user": user.pk})
        self.token = self.scope["cookies"].get("csrftoken")

    async def disconnect(self, code: int) -> None:
        for group in self.groups_joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive_json(self, content: Any, **_: Any) -> None:
        if not self.token or content.get("xrftoken") != self.token:
            await self.send_json({"error": FORBIDDEN})
        elif "groups" in content:
            await self.subscribe(content["groups"])

    async def subscribe(self, wanted: dict[str, Any]) -> None:
        groups = set()
        for kind, values in wanted.items():
            if not isinstance(values, list):
                await self.send_json({"error": FORBIDDEN})
                return
            for value in values:
                if kind in CHECKED and int(value) >= 1000:
                    await self.send_json({"error": f"{FORBIDDEN} {kind} for resource id {value}"})
                else:
                    groups.add(f"{kind}-{value}")
        await self.change_groups(groups)

    async def change_groups(self, groups: set[str]) -> None:
        left, joined = self.groups_joined - groups, groups - self.groups_joined
        for group in left:
            await self.channel_layer.group_discard(group, self.channel_name)
        for group in joined:
            await self.channel_layer.group_add(group, self.channel_name)
        self.groups_joined = groups
        await self.send_json({"groups_current": [*groups], "groups_left": [*left], "groups_joined": [*joined]})

    async def internal_message(self, event: dict[str, Any]) -> None:
        await self.send(event["text"])


class ChatConsumer(AsyncJsonWebsocketConsumer):
    """Everybody in a room gets what anybody says; a message to `background` comes back from a worker."""

    async def connect(self) -> None:
        self.room = f"chat-{self.scope['url_route']['kwargs']['room']}"
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept(subprotocol="chat" if "chat" in self.scope["subprotocols"] else None)

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive_json(self, content: Any, **_: Any) -> None:
        if "background" in content:
            message = {"type": "shout", "text": content["background"], "reply": self.channel_name}
            await self.channel_layer.send("background", message)
        else:
            await self.channel_layer.group_send(self.room, {"type": "chat.message", "text": content["say"]})

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send_json({"said": event["text"]})


class BackgroundConsumer(SyncConsumer):
    """Runs in a worker."""

    def shout(self, message: dict[str, Any]) -> None:
        from asgiref.sync import async_to_sync

        answer = {"type": "chat.message", "text": message["text"].upper()}
        async_to_sync(self.channel_layer.send)(message["reply"], answer)


class SyncEcho(WebsocketConsumer):
    """Synchronous code, in a thread."""

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.send(text_data=text_data, bytes_data=bytes_data)


class RaisingConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        raise RuntimeError("a fault in connect")


class SilentConsumer(AsyncWebsocketConsumer):
    """Never decides."""

    async def connect(self) -> None:
        await asyncio.Event().wait()


class KilledConsumer(AsyncWebsocketConsumer):
    """Its task is cancelled from inside."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()


class LateConsumer(AsyncWebsocketConsumer):
    """Sends after it has closed."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.close(4000)
        for _ in range(3):
            await self.send(text_data=json.dumps("too late"))
            await asyncio.sleep(0.05)
