"""AWX's pages on the site: login, subscription, events of a stock producer, a chat and a worker."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import redis
from layer_forms import chosen_form, close_layer
from parity.hosts import HostingServer
from servers import HANG, wait_for
from site_process import Site, log_in, open_session

Socket = aiohttp.ClientWebSocketResponse


@pytest.fixture
async def producer(site_redis: list[str]) -> AsyncIterator[Any]:
    layer = chosen_form().new_layer(site_redis)
    yield layer
    await close_layer(layer)


async def receive(socket: Socket) -> Any:
    return await socket.receive_json(timeout=HANG)


async def subscribe(socket: Socket, token: str | None, groups: Any) -> Any:
    await socket.send_json({"groups": groups, "xrftoken": token})
    return await receive(socket)


def event(text: str) -> dict[str, Any]:
    return {"type": "internal.message", "text": text, "needs_relay": True}


def is_subscribed(url: str, channel: str) -> bool:
    with redis.Redis.from_url(url) as client:
        return channel.encode() in client.pubsub_channels()


class TestEvents:
    async def test_somebody_unknown_is_told_to_go(self, server: HostingServer) -> None:
        async with open_session() as session, session.ws_connect(server.url("/websocket/", "http")) as socket:
            assert await receive(socket) == {"close": True}
            await socket.receive()
            assert socket.close_code == 1000

    async def test_user_subscribes_and_gets_events_of_a_stock_producer(
        self, server: HostingServer, producer: Any
    ) -> None:
        async with open_session() as session:
            token = await log_in(session, server, "alice")
            async with session.ws_connect(server.url("/websocket/", "http")) as socket:
                assert await receive(socket) == {"accept": True, "user": 1}
                reply = await subscribe(socket, token, {"job_events": [42], "jobs": ["status_changed"]})
                assert sorted(reply["groups_joined"]) == ["job_events-42", "jobs-status_changed"]
                texts = [json.dumps({"id": number, "stdout": "\x1b[0;32mok ä"}) for number in range(50)]
                for text in texts:
                    await producer.group_send("job_events-42", event(text))
                assert [await socket.receive_str(timeout=HANG) for _ in texts] == texts
                reply = await subscribe(socket, token, {"jobs": ["status_changed"]})
                assert reply["groups_left"] == ["job_events-42"]
                await producer.group_send("job_events-42", event('{"id": "nobody\'s"}'))
                await producer.group_send("jobs-status_changed", event('{"id": "mine"}'))
                assert await receive(socket) == {"id": "mine"}

    async def test_wrong_token_and_forbidden_jobs(self, server: HostingServer) -> None:
        async with open_session() as session:
            token = await log_in(session, server, "bob")
            async with session.ws_connect(server.url("/websocket/", "http")) as socket:
                assert (await receive(socket))["accept"] is True
                assert await subscribe(socket, "wrong", {}) == {"error": "access denied to channel"}
                assert await subscribe(socket, token, {"job_events": 42}) == {"error": "access denied to channel"}
                denied = await subscribe(socket, token, {"job_events": [5000, 1]})
                assert denied == {"error": "access denied to channel job_events for resource id 5000"}
                assert (await receive(socket))["groups_current"] == ["job_events-1"]


class TestChat:
    async def test_what_one_says_all_hear(self, server: HostingServer) -> None:
        url = server.url("/ws/chat/kitchen/", "http")
        async with (
            open_session() as session,
            session.ws_connect(url, protocols=["chat"]) as first,
            session.ws_connect(url) as second,
        ):
            assert (first.protocol, second.protocol) == ("chat", None)
            for number in range(20):
                await first.send_json({"say": number})
            for socket in (first, second):
                assert [await receive(socket) for _ in range(20)] == [{"said": number} for number in range(20)]

    async def test_worker_answers_a_consumer(self, server: HostingServer, site: Site, site_redis: list[str]) -> None:
        worker = site.start_worker("background")
        try:
            if not chosen_form().stores:  # nobody keeps what is sent before it listens
                await asyncio.to_thread(wait_for, lambda: is_subscribed(site_redis[0], "background"))
            url = server.url("/ws/chat/hall/", "http")
            async with open_session() as session, session.ws_connect(url) as socket:
                await socket.send_json({"background": "louder"})
                assert await receive(socket) == {"said": "LOUDER"}
        finally:
            worker.kill()
            await asyncio.to_thread(worker.wait)

    async def test_synchronous_consumer(self, server: HostingServer) -> None:
        async with open_session() as session, session.ws_connect(server.url("/ws/echo/", "http")) as socket:
            await socket.send_str("text")
            assert await socket.receive_str(timeout=HANG) == "text"
            await socket.send_bytes(b"bytes")
            assert await socket.receive_bytes(timeout=HANG) == b"bytes"
