"""Links of nodes to several serving processes of one server, on one Redis: each event once on each link."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from awxfast._rust import sign_secret
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer
from site_browsers import command, event
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from worker_processes import Worker, WorkerProcesses

SECRET = "of the site's settings"
HANG = 20.0

Start = Callable[..., WorkerProcesses]


@pytest.fixture
def start(redis_server: RedisServer, tmp_path: Path) -> Iterator[Start]:
    """Starts two of the events site."""
    started: list[WorkerProcesses] = []

    def begin(**options: Any) -> WorkerProcesses:
        environ = {"EVENTS_SITE_REDIS": redis_server.url, "EVENTS_SITE_NODE_SECRET": SECRET}
        listeners = [socket.create_server(("127.0.0.1", 0), backlog=2048)]
        given = {"application": "events_site:application", "direct": ("internal.message",), **options}
        started.append(WorkerProcesses(tmp_path, listeners, environ=environ, **given))
        return started[-1]

    yield begin
    for one in started:
        one.stop()


class Sockets:
    """Websockets to both workers."""

    def __init__(self, workers: WorkerProcesses, stack: contextlib.AsyncExitStack) -> None:
        self.workers = workers
        self._port = workers.listeners[0].getsockname()[1]
        self._stack = stack

    async def open(self, path: str, **headers: str) -> tuple[ClientConnection, Worker]:
        """One, and who serves it: it is the process that has one more."""
        rows = self.workers.shares.rows
        before = [row.accepted for row in rows]
        url = f"ws://127.0.0.1:{self._port}{path}"
        connection = await self._stack.enter_async_context(connect(url, additional_headers=headers))
        (number,) = [number for number, row in enumerate(rows) if row.accepted > before[number]]
        return connection, self.workers.workers[number]

    async def open_on_each(self, path: str, **headers: str) -> list[ClientConnection]:
        """One on each worker, in their order; those that came to another one stay open meanwhile."""
        found: dict[int, ClientConnection] = {}
        while len(found) < 2:
            connection, worker = await self.open(path, **headers)
            if found.setdefault(worker.number, connection) is not connection:
                await connection.close()
        return [found[0], found[1]]

    async def browse_on_each(self, *groups: str) -> list[ClientConnection]:
        browsers = await self.open_on_each("/commands/")
        for browser in browsers:
            for group in groups:
                await command(browser, f"join {group}")
        return browsers


@contextlib.asynccontextmanager
async def sockets_of(workers: WorkerProcesses) -> AsyncIterator[Sockets]:
    async with contextlib.AsyncExitStack() as stack:
        yield Sockets(workers, stack)


def signed(seconds: int = 0) -> dict[str, str]:
    return {"secret": sign_secret(SECRET, int(time.time()) + seconds)}


def relayed(group: str, text: str) -> str:
    return json.dumps({"group": group, "message": event(text)})


async def receive(connection: ClientConnection, count: int) -> list[str]:
    async with asyncio.timeout(HANG):
        return [str(await connection.recv()) for _ in range(count)]


async def hear(link: ClientConnection, count: int) -> list[dict[str, Any]]:
    """So many notices that name groups."""
    told: list[dict[str, Any]] = []
    while len(told) < count:
        (text,) = await receive(link, 1)
        told += [notice for notice in [json.loads(text)] if notice["groups"]]
    return told


async def receive_until(connection: ClientConnection, last: str) -> list[str]:
    got = []
    async with asyncio.timeout(HANG):
        while not got or got[-1] != last:
            got.append(str(await connection.recv()))
    return got


class TestBroadcastEra:
    async def test_link_on_either_worker_gets_each_event_once(self, start: Start, producer: RedisChannelLayer) -> None:
        async with sockets_of(start()) as sockets:
            links = await sockets.open_on_each("/websocket/broadcast/", **signed())
            browsers = await sockets.browse_on_each("job_events-1")
            for number in range(100):
                await producer.group_send("broadcast-group_send", event(f"copy {number}"))
                await producer.group_send("job_events-1", event(f"event {number}"))
            await producer.group_send("broadcast-group_send", event("the last"))
            await producer.group_send("job_events-1", event("the last"))
            for link in links:
                assert await receive_until(link, "the last") == [*(f"copy {n}" for n in range(100)), "the last"]
            for browser in browsers:
                assert await receive_until(browser, "the last") == [*(f"event {n}" for n in range(100)), "the last"]


class TestRelayEra:
    async def test_event_of_a_link_reaches_browsers_of_both_workers_once(self, start: Start) -> None:
        async with sockets_of(start()) as sockets:
            browsers = await sockets.browse_on_each("job_events-1")
            links = await sockets.open_on_each("/websocket/relay/", **signed())
            for link, name in zip(links, "ab", strict=True):
                for number in range(50):
                    await link.send(relayed("job_events-1", f"{name} {number}"))
                await link.send(relayed("job_events-1", "the last"))
                for browser in browsers:
                    got = await receive_until(browser, "the last")
                    assert got == [*(f"{name} {number}" for number in range(50)), "the last"]

    async def test_event_of_one_link_does_not_come_back_on_another(
        self, start: Start, producer: RedisChannelLayer
    ) -> None:
        """What one worker writes into Redis for the other is no news for that one's nodes."""
        async with sockets_of(start()) as sockets:
            browsers = await sockets.browse_on_each("job_events-1")
            old = await sockets.open_on_each("/websocket/broadcast/", **signed())
            link, _ = await sockets.open("/websocket/relay/", **signed())
            await link.send(relayed("job_events-1", "the last"))
            for browser in browsers:
                assert await receive_until(browser, "the last") == ["the last"]
            await producer.group_send("broadcast-group_send", event("a copy"))
            for one in old:
                texts = await receive_until(one, "a copy")
                assert [text for text in texts if "consumer.subscribe" not in text] == ["a copy"]

    async def test_link_hears_of_the_groups_of_both_workers(self, start: Start) -> None:
        async with sockets_of(start()) as sockets:
            first, second = await sockets.browse_on_each("job_events-1")
            await command(second, "join job_events-2")
            for link in await sockets.open_on_each("/websocket/relay/", **signed()):
                told = await hear(link, 2)
                wanted = {notice["origin_channel"]: set(notice["groups"]) for notice in told}
                assert sorted(map(sorted, wanted.values())) == [["job_events-1"], ["job_events-1", "job_events-2"]]
            await command(first, "leave job_events-1")
            link, _ = await sockets.open("/websocket/relay/", **signed())
            (told_last,) = await hear(link, 1)
            assert set(told_last["groups"]) == {"job_events-1", "job_events-2"}

    async def test_links_of_both_workers_hear_of_a_change_in_one(self, start: Start) -> None:
        async with sockets_of(start()) as sockets:
            links = await sockets.open_on_each("/websocket/relay/", **signed())
            first, second = await sockets.browse_on_each("job_events-1")
            for link in links:
                joined = {notice["origin_channel"]: notice["groups"] for notice in await hear(link, 2)}
                assert list(joined.values()) == [["job_events-1"], ["job_events-1"]]
            await command(first, "leave job_events-1")
            for link in links:
                (notice,) = await hear(link, 1)
                assert (notice["type"], notice["groups"]) == ("consumer.unsubscribe", ["job_events-1"])
            await links[0].send(relayed("job_events-1", "still wanted"))
            assert await receive(second, 1) == ["still wanted"]


class TestHeaders:
    async def test_header_counts_once_for_all_workers(self, start: Start) -> None:
        async with sockets_of(start(nonce_replay="refuse")) as sockets:
            header = signed()
            await sockets.open("/websocket/relay/", **header)
            for _ in range(4):
                with pytest.raises(InvalidStatus, match="403"):
                    await sockets.open("/websocket/relay/", **header)
            await sockets.open("/websocket/relay/", **signed(1))
            assert all(count <= 2 for count in sockets.workers.claimed.values())

    async def test_node_is_refused_while_main_does_not_answer(self, start: Start) -> None:
        workers = start(nonce_replay="refuse")
        workers.answers_claims = False
        async with sockets_of(workers) as sockets:
            with pytest.raises(InvalidStatus, match="403"):
                await sockets.open("/websocket/relay/", **signed())

    async def test_where_repeats_are_counted_both_workers_let_it_in(self, start: Start) -> None:
        async with sockets_of(start()) as sockets:
            header = signed()
            await sockets.open_on_each("/websocket/relay/", **header)
            assert sum(sockets.workers.claimed.values()) == 2
