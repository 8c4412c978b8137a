"""The rooms wired together in this process, on a real Redis, without main and child."""

import os
import resource
import socket
from collections.abc import AsyncIterator
from typing import cast

import aiohttp
import pytest
from awxfast.app.relay import Relay
from awxfast.app.serving import take_inheritance
from awxfast.errors import ConfigurationError, StartError
from awxfast.intake.drain import Drain
from awxfast.settings import Settings
from awxfast.system.passing import receive_message, send_message
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer
from running import Running


@pytest.fixture
async def running(redis_server: RedisServer) -> AsyncIterator[Running]:
    one = Running(Settings(redis=(redis_server.url,), auth="open", access_log="/dev/null"))
    await one.wait_until_serving()
    yield one
    if not one.task.done():
        await one.stop()


class TestServe:
    async def test_event_reaches_a_browser_and_the_ledger(self, running: Running, redis_server: RedisServer) -> None:
        layer = RedisChannelLayer(hosts=[redis_server.url])
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{running.url}/websocket/") as browser:
            assert await browser.receive_json() == {"accept": True, "user": 0}
            await browser.send_json({"groups": {"job_events": [42]}})
            assert (await browser.receive_json())["groups_joined"] == ["job_events-42"]
            await layer.group_send("job_events-42", {"type": "internal.message", "text": '{"id":1}'})
            assert await browser.receive_str() == '{"id":1}'
            async with session.get(f"{running.admin_url}/ledger") as answer:
                ledger = await answer.json()
        await layer.close_pools()
        assert ledger["events"] == {"in": 1, "routed": 1, "no_subscriber": 0, "rejected": {}}
        assert (ledger["clients"], ledger["groups"], ledger["peers"]) == (1, 1, [])
        assert ledger["balance"] == {"events": 0, "frames": 0}

    async def test_all_metrics_have_values(self, running: Running) -> None:
        async with aiohttp.ClientSession() as session, session.get(f"{running.admin_url}/metrics") as answer:
            text = await answer.text()
        assert "awxfast_redis_up 1.0" in text
        assert "awxfast_event_age_seconds_count 0.0" in text

    async def test_nothing_is_left_behind(self, running: Running, redis_server: RedisServer) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{running.url}/websocket/") as browser:
            await browser.receive_json()
            await browser.send_json({"groups": {"job_events": [42]}})
            await browser.receive_json()
            running.control.stop.set()
            message = await browser.receive()
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        await running.stop()
        with redis_server.client() as client:
            assert client.keys("*") == []

    async def test_intake_that_failed_ends_the_process(
        self, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing but a new process helps then; main starts one."""

        async def fail(self: Drain) -> None:
            raise RuntimeError("a fault of the drain")

        monkeypatch.setattr(Drain, "run", fail)
        one = Running(Settings(redis=(redis_server.url,), auth="open", access_log="/dev/null"))
        await one.wait_for_failure(StartError, "the intake ended")


class TestStart:
    async def test_password_that_is_wrong_is_a_configuration_error(self, redis_server: RedisServer) -> None:
        url = redis_server.url.replace("unix://", "unix://:wrong@")
        one = Running(Settings(redis=(url,), auth="open", access_log="/dev/null"))
        await one.wait_for_failure(ConfigurationError, "password")


def test_process_that_may_have_too_few_descriptors_says_so() -> None:
    here, there = socket.socketpair()
    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    with here, there:
        send_message(here, b"{}")
        send_message(here, b"clients", [here.fileno()] * 100)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 10, former[1]))
        try:
            assert take_inheritance(cast(Relay, None), there) is None
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, former)
        assert receive_message(here)[0].endswith(b"descriptors, which is too few for all clients")
