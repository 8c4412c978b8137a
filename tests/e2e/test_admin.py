"""The admin listener answers whatever becomes of serving processes, and what it says has been counted once."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable

import pytest
from browsers import Browser, close_browsers, open_browser
from channels_redis.core import RedisChannelLayer
from events import GROUPS
from ledger_watch import BALANCED, Watching, list_counters
from main_process import is_alive
from producers import Producer
from reloaded_site import Site
from reloading import Faults, reload
from servers import HANG, AwxfastServer, wait_for
from site_browsers import browser, command, receive

pytestmark = pytest.mark.timeout(600)


def answer(relay: AwxfastServer, path: str) -> tuple[int, str]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(HANG)
        connection.connect(str(relay.admin))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


async def deliver(relay: AwxfastServer, producer: Producer, one: Browser, numbers: range) -> None:
    for number in numbers:
        producer.send(GROUPS[0], number)
    await one.until(lambda: one.last_number == numbers[-1])
    await asyncio.to_thread(wait_for, lambda: relay.ledger()["frames"]["pending"] == 0)


class TestDeath:
    async def test_counts_go_on_and_what_the_dead_one_had_is_kept(
        self, relay: AwxfastServer, new_producer: Callable[..., Producer]
    ) -> None:
        producer = new_producer(0, 0, "--on-demand")
        watching = Watching(relay)
        for death in range(3):
            one = await open_browser(relay.url, GROUPS[:1])
            await deliver(relay, producer, one, range(10 * death, 10 * death + 10))
            assert relay.ledger()["events"]["in"] == 10 * death + 10
            os.kill(relay.child_pid(), signal.SIGKILL)
            await one.gone.wait()
            await asyncio.to_thread(wait_for, lambda death=death: relay.text().count("Listening on TCP") == death + 2)
        await watching.end()
        ledger = relay.ledger()
        assert (ledger["events"]["in"], ledger["events"]["routed"]) == (30, 30)
        assert (ledger["generation"], ledger["gaps"]["died"]["times"]) == (0, 3)
        assert relay.metric("awxfast_events_total") == 30

    async def test_pages_are_there_while_nobody_serves(
        self, faults: Faults, start_relay: Callable[..., AwxfastServer], new_producer: Callable[..., Producer]
    ) -> None:
        relay = start_relay()
        one = await open_browser(relay.url, GROUPS[:1])
        await deliver(relay, new_producer(0, 0, "--on-demand"), one, range(5))
        faults.set("import time; time.sleep(3600)")
        former = relay.child_pid()
        os.kill(former, signal.SIGKILL)
        await asyncio.to_thread(wait_for, lambda: not is_alive(former))
        await asyncio.to_thread(wait_for, lambda: answer(relay, "/healthz")[1] == "the serving process is starting\n")
        assert answer(relay, "/healthz")[0] == 503
        assert answer(relay, "/readyz") == (503, "the serving process is starting\n")
        ledger = relay.ledger()
        assert (ledger["events"]["in"], ledger["clients"], ledger["balance"]) == (5, 0, BALANCED)
        assert relay.metric("awxfast_events_total") == 5
        assert json.loads(answer(relay, "/clients")[1]) == []
        about = json.loads(answer(relay, "/about")[1])
        assert (about["main"], about["addresses"]) == (relay.process.pid, [f"127.0.0.1:{relay.port}"])
        assert answer(relay, "/")[0] == 200
        faults.clear()
        os.kill(relay.child_pid(), signal.SIGKILL)
        await asyncio.to_thread(wait_for, lambda: answer(relay, "/readyz") == (200, "ok\n"))
        assert answer(relay, "/healthz") == (200, "ok\n")
        await close_browsers([one])


class TestOneThatHangs:
    async def test_it_is_unwell_and_what_it_told_last_is_shown(
        self, relay: AwxfastServer, new_producer: Callable[..., Producer]
    ) -> None:
        one = await open_browser(relay.url, GROUPS[:1])
        await deliver(relay, new_producer(0, 0, "--on-demand"), one, range(5))
        child = relay.child_pid()
        os.kill(child, signal.SIGSTOP)
        for path in ("/healthz", "/readyz"):
            assert answer(relay, path) == (503, "the serving process does not answer\n")
        assert relay.ledger()["events"]["in"] == 5
        os.kill(child, signal.SIGCONT)
        await asyncio.to_thread(wait_for, lambda: answer(relay, "/healthz") == (200, "ok\n"))
        assert answer(relay, "/readyz") == (200, "ok\n")
        await close_browsers([one])


class TestReload:
    async def test_of_a_native_server_nobody_is_counted_twice_and_nothing_is_forgotten(
        self, relay: AwxfastServer, new_producer: Callable[..., Producer]
    ) -> None:
        one = await open_browser(relay.url, GROUPS[:1])
        producer = new_producer(0, 0, "--on-demand")
        watching = Watching(relay)
        for generation in range(3):
            await deliver(relay, producer, one, range(10 * generation, 10 * generation + 10))
            before = relay.ledger()
            done = await reload(relay)
            assert done.returncode == 0, done.stderr
            after = relay.ledger()
            assert after["generation"] == generation + 1
            assert list_counters(after) == list_counters(before)
            assert after["clients"] == 1
        await watching.end()
        assert relay.metric("awxfast_handshakes_total") == 1
        assert relay.metric("awxfast_reloads_total") == 3
        os.kill(relay.child_pid(), signal.SIGKILL)
        await one.gone.wait()
        ledger = relay.ledger()
        assert (ledger["events"]["in"], ledger["events"]["routed"], ledger["balance"]) == (30, 30, BALANCED)

    async def test_readiness_and_health_stay_good_throughout(self, relay: AwxfastServer) -> None:
        seen: set[tuple[str, int, str]] = set()
        reloading = asyncio.ensure_future(reload(relay))
        while not reloading.done():
            for path in ("/healthz", "/readyz"):
                seen.add((path, *await asyncio.to_thread(answer, relay, path)))
        assert (await reloading).returncode == 0
        assert seen == {("/healthz", 200, "ok\n"), ("/readyz", 200, "ok\n")}

    async def test_of_an_application_those_who_stay_with_the_old_process_count_too(
        self, start_site: Callable[..., Site], producer: RedisChannelLayer
    ) -> None:
        site = start_site()
        watching = Watching(site.server)
        old = int(await site.ask())
        async with browser(site.port) as early:
            await command(early, "join room")
            await site.must_reload()
            async with browser(site.port) as late:
                await command(late, "join room")
                for number in range(10):
                    await producer.group_send("room", {"type": "chat.message", "text": str(number)})
                for connection in (early, late):
                    assert [await receive(connection) for _ in range(10)] == [f"chat {n}" for n in range(10)]
                during = site.server.ledger()
                assert (during["clients"], during["events"]["in"]) == (2, 20), "an event in each process"
        await site.until(lambda: not is_alive(old))
        after = site.server.ledger()
        assert list_counters(after)["in"] == 20
        assert list_counters(after)["written"] >= list_counters(during)["written"]
        assert (after["clients"], after["frames"]["pending"]) == (0, 0)
        assert site.server.metric("awxfast_handshakes_total") == 2
        os.kill(site.children()[0], signal.SIGKILL)
        await site.until(lambda: site.server.text().count("Listening on TCP") == 2)
        assert site.server.ledger()["events"]["in"] == 20
        await watching.end()

    async def test_of_an_application_that_begins_anew_nobody_is_counted_twice(
        self, start_site: Callable[..., Site], producer: RedisChannelLayer
    ) -> None:
        site = start_site("--reload-consumers", "replay")
        watching = Watching(site.server)
        async with browser(site.port) as connection:
            await command(connection, "join room")
            for generation in range(2):
                for number in range(10):
                    await producer.group_send("room", {"type": "chat.message", "text": str(number)})
                assert [await receive(connection) for _ in range(10)] == [f"chat {n}" for n in range(10)]
                before = site.server.ledger()
                await site.must_reload()
                assert site.server.ledger()["events"]["in"] == before["events"]["in"] == 10 * generation + 10
        await site.until(lambda: len(site.children()) == 1)
        await watching.end()
        assert site.server.ledger()["events"]["in"] == 20


class TestFlood:
    async def test_main_does_its_work_while_the_listener_is_flooded(self, relay: AwxfastServer) -> None:
        """All its places are taken by who asks without a pause, and others wait in the kernel."""
        asked = 0

        async def ask_on() -> None:
            nonlocal asked
            while True:
                await asyncio.sleep(0.01)
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    reader, writer = await asyncio.open_unix_connection(relay.admin)
                    with contextlib.closing(writer):
                        while True:
                            writer.write(b"GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n" * 10)
                            await reader.readexactly(1000)
                            asked += 1

        flood = [asyncio.ensure_future(ask_on()) for _ in range(80)]
        await asyncio.sleep(0)
        done = await reload(relay, "--pid", str(relay.process.pid))
        assert done.returncode == 0, done.stderr
        assert asked > 100
        former = relay.child_pid()
        os.kill(former, signal.SIGKILL)
        await asyncio.to_thread(wait_for, lambda: relay.text().count("Listening on TCP") == 2)
        assert await asyncio.to_thread(relay.stop) == 0
        for one in flood:
            one.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
