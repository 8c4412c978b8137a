"""What a stock AWX server does for one websocket, by kind: a browser, and the node endpoints of both eras."""

import asyncio
import contextlib
import json
from typing import Any

from aiohttp import WSMsgType, web
from channels_redis.core import RedisChannelLayer
from stock_layer import BACKPLANE, END, METRICS, end_receiver, metrics_key


class Consumer:
    """One accepted websocket with a channel of its own in the layer."""

    def __init__(self, layer: RedisChannelLayer, websocket: web.WebSocketResponse, announces: bool) -> None:
        self.layer = layer
        self.websocket = websocket
        self.announces = announces
        self.channel = ""
        self.groups: set[str] = set()

    async def run(self) -> None:
        """Serves until the far end or an error ends it. Commands and messages come one at a time, as in Channels."""
        self.channel = await self.layer.new_channel()
        turn = asyncio.Lock()
        messages = asyncio.create_task(self.receive_messages(turn))
        try:
            await self.open()
            async for frame in self.websocket:
                if frame.type != WSMsgType.TEXT:
                    break
                async with turn:
                    await self.receive_text(frame.data)
        finally:
            try:
                await self.close()
            finally:
                await end_receiver(self.layer, self.channel, messages)

    async def receive_messages(self, turn: asyncio.Lock) -> None:
        while (message := await self.layer.receive(self.channel)) != END:
            async with turn:
                with contextlib.suppress(ConnectionError):
                    await self.receive_message(message)

    async def open(self) -> None:
        raise NotImplementedError

    async def receive_text(self, text: str) -> None:
        """A frame of the far end."""

    async def receive_message(self, message: dict[str, Any]) -> None:
        """A message of the layer."""
        if message["type"] == "internal.message":
            await self.websocket.send_str(message["text"])

    async def close(self) -> None:
        for group in self.groups:
            await self.layer.group_discard(group, self.channel)


class BrowserConsumer(Consumer):
    """The browser's endpoint for a page that is logged in; its rights are not looked at."""

    token = ""

    async def open(self) -> None:
        await self.websocket.send_json({"accept": True, "user": 1})

    async def receive_text(self, text: str) -> None:
        command = json.loads(text)
        if not self.token or command.get("xrftoken") != self.token:
            await self.websocket.send_json({"error": "access denied to channel"})
        elif "groups" in command:
            await self.replace({f"{key}-{value}" for key, values in command["groups"].items() for value in values})

    async def replace(self, wanted: set[str]) -> None:
        left, joined = self.groups - wanted, wanted - self.groups
        for group in left:
            await self.layer.group_discard(group, self.channel)
        if left:
            await self.announce("consumer.unsubscribe", left)
        for group in joined:
            await self.layer.group_add(group, self.channel)
        self.groups = wanted
        await self.announce("consumer.subscribe", wanted)
        reply = {"groups_current": wanted, "groups_left": left, "groups_joined": joined}
        await self.websocket.send_json({name: list(groups) for name, groups in reply.items()})

    async def announce(self, kind: str, groups: set[str]) -> None:
        if self.announces:
            notice = {"type": kind, "groups": list(groups), "origin_channel": self.channel}
            await self.layer.group_send(BACKPLANE, notice)

    async def close(self) -> None:
        await super().close()
        await self.announce("consumer.unsubscribe", self.groups)


class BroadcastConsumer(Consumer):
    """`/websocket/broadcast/`: every event to the dialler, which says nothing."""

    async def open(self) -> None:
        self.groups.add(BACKPLANE)
        await self.layer.group_add(BACKPLANE, self.channel)


class RelayConsumer(BroadcastConsumer):
    """`/websocket/relay/`: subscriptions to the dialler, its events into the local layer."""

    async def receive_text(self, text: str) -> None:
        frame = json.loads(text)
        group, message = frame["group"], frame["message"]
        if group == METRICS:
            metrics = json.loads(message["text"])
            await self.layer.connection(0).set(metrics_key(metrics), metrics["metrics"])
        else:
            await self.layer.group_send(group, message)

    async def receive_message(self, message: dict[str, Any]) -> None:
        if message["type"] in ("consumer.subscribe", "consumer.unsubscribe"):
            await self.websocket.send_json(message)
        else:
            await super().receive_message(message)
