"""The dialler of a stock AWX node of either era, in the test's loop or as a process (`stock_dialler.py --help`)."""

import argparse
import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any

import aiohttp
from channels_redis.core import RedisChannelLayer
from stock_layer import END, METRICS, cancel_all, end_receiver, internal_message, metrics_key, new_layer
from stock_secret import make_header

RETRY = 5.0
"""Seconds after a failed dial or a loss. The relay era waits for the host's next beacon; here it waits as long."""
IDLE = 10.0
"""Relay era: seconds without any message after which a group that nobody wants is left."""


class StockDialler:
    """One node's links to all others, `HOST:PORT` each."""

    def __init__(
        self, redis_url: str, secret: str, era: str, peers: Sequence[str], *, retry: float = RETRY, clock_error: int = 0
    ) -> None:
        self.redis_url, self.secret, self.peers, self.retry = redis_url, secret, peers, retry
        self.clock_error = clock_error
        self.era = era
        self.connected: dict[str, int] = dict.fromkeys(peers, 0)
        self.attempts: dict[str, int] = dict.fromkeys(peers, 0)
        self.up: set[str] = set()
        self.changed = asyncio.Event()

    async def start(self) -> None:
        """Begins to dial."""
        self.layer = new_layer(self.redis_url)
        self.tasks = [asyncio.create_task(self.keep_dialling(peer)) for peer in self.peers]

    async def stop(self) -> None:
        await cancel_all(self.tasks)
        await self.layer.close_pools()

    async def keep_dialling(self, peer: str) -> None:
        while True:
            self.attempts[peer] += 1
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                await self.dial(peer)
            self.up.discard(peer)
            await asyncio.sleep(self.retry)

    async def dial(self, peer: str) -> None:
        """One connection, from its handshake to its end."""
        headers = {"secret": make_header(self.secret, self.clock_error)}
        timeout = aiohttp.ClientTimeout(total=10)
        url = f"http://{peer}/websocket/{self.era}/"
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
            session.ws_connect(url, heartbeat=20) as websocket,
        ):
            self.connected[peer] += 1
            self.up.add(peer)
            self.changed.set()
            link = BroadcastLink(self.layer) if self.era == "broadcast" else RelayLink(self.layer, websocket)
            try:
                async for frame in websocket:
                    if frame.type == aiohttp.WSMsgType.TEXT:
                        await link.receive_text(frame.data)
            finally:
                await link.close()


class BroadcastLink:
    """Every event of the peer into the local Redis, one after the other."""

    def __init__(self, layer: RedisChannelLayer) -> None:
        self.layer = layer

    async def receive_text(self, text: str) -> None:
        frame = json.loads(text)
        group, message = frame["group"], frame["message"]
        if group == METRICS:
            metrics = json.loads(message)
            await self.layer.connection(0).set(metrics_key(metrics), metrics["metrics"])
        else:
            await self.layer.group_send(group, internal_message(message))

    async def close(self) -> None:
        """Nothing to leave."""


class RelayLink:
    """Local events of the groups that somebody at the peer wants, each group with a channel and a task of its own."""

    def __init__(self, layer: RedisChannelLayer, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.layer, self.websocket = layer, websocket
        self.wanted: dict[str, set[str]] = {METRICS: {METRICS}}
        self.channels: dict[str, str] = {}
        self.tasks = {METRICS: asyncio.create_task(self.relay(METRICS))}

    async def receive_text(self, text: str) -> None:
        notice = json.loads(text)
        for group in notice.get("groups", ()):
            if notice["type"] == "consumer.unsubscribe":
                self.wanted.get(group, set()).discard(notice["origin_channel"])
            elif notice["type"] == "consumer.subscribe":
                self.want(group, notice["origin_channel"])

    def want(self, group: str, origin: str) -> None:
        self.wanted.setdefault(group, set()).add(origin)
        if group not in self.tasks:
            self.tasks[group] = asyncio.create_task(self.relay(group))

    async def relay(self, group: str) -> None:
        channel = self.channels[group] = await self.layer.new_channel()
        await self.layer.group_add(group, channel)
        try:
            while (message := await self.next_message(group, channel)) is not None:
                if message.pop("needs_relay", False):
                    await self.websocket.send_json({"group": group, "message": message})
        except (ConnectionError, aiohttp.ClientError):
            pass  # the loop that reads ends with the connection, too
        finally:
            self.tasks.pop(group, None)
            await self.layer.group_discard(group, channel)

    async def next_message(self, group: str, channel: str) -> dict[str, Any] | None:
        """None once nobody wants the group and nothing came for a while.

        Stock cancels its wait for a message every 10 s, which may lose one. This one does not: losses would be chance.
        """
        receiving = asyncio.create_task(self.layer.receive(channel))
        try:
            while not receiving.done():
                await asyncio.wait([receiving], timeout=IDLE)
                if not receiving.done() and not self.wanted[group]:
                    return None
            message = receiving.result()
            return dict(message) if message != END else None
        finally:
            await cancel_all([receiving])

    async def close(self) -> None:
        tasks = list(self.tasks.items())
        await asyncio.gather(*(end_receiver(self.layer, self.channels.get(group, ""), task) for group, task in tasks))


async def dial_forever(options: argparse.Namespace) -> None:
    dialler = StockDialler(options.redis, options.secret, options.era, options.peer, retry=options.retry)
    await dialler.start()
    while len(dialler.up) < len(options.peer):
        dialler.changed.clear()
        await dialler.changed.wait()
    print("connected", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--era", choices=("broadcast", "relay"), required=True)
    parser.add_argument("--peer", action="append", required=True)
    parser.add_argument("--retry", type=float, default=RETRY)
    asyncio.run(dial_forever(parser.parse_args()))


if __name__ == "__main__":
    main()
