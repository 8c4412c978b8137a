"""A hosted application is reloaded: the old process serves those it has to their end, the new one all others."""

import asyncio
import contextlib
import http.client
import os
import signal
from collections.abc import Callable

import aiohttp
import pytest
from channels_redis.core import RedisChannelLayer
from main_process import is_alive
from raw_browser import RawBrowser, frame, handshake
from redis_servers import RedisServer
from reloaded_site import SLOW, Site, wait_closed
from site_browsers import browser, command, event, receive


@pytest.fixture
def site(start_site: Callable[..., Site]) -> Site:
    return start_site()


@pytest.mark.timeout(600)
class TestDrain:
    async def test_browsers_stay_with_the_old_process_until_they_go(
        self, site: Site, producer: RedisChannelLayer, redis_server: RedisServer
    ) -> None:
        old = int(await site.ask())
        async with contextlib.AsyncExitStack() as those_of_old:
            early = [await those_of_old.enter_async_context(browser(site.port)) for _ in range(2)]
            for connection in early:
                await command(connection, "join room")
            said = await site.must_reload()
            assert said.startswith("reload: generation 1, 0 sockets kept, 2 drained, silence at most ")
            new = int(await site.ask())
            assert new != old
            assert sorted(site.children()) == sorted([old, new])
            assert (site.server.ledger()["generation"], site.server.ledger()["clients"]) == (1, 2)
            assert site.server.metric("awxfast_draining_processes") == 1
            async with browser(site.port) as late:
                await command(late, "join room")
                assert site.server.ledger()["clients"] == 3
                for number in range(20):
                    await producer.group_send("room", {"type": "chat.message", "text": str(number)})
                for connection in (*early, late):
                    assert [await receive(connection) for _ in range(20)] == [f"chat {n}" for n in range(20)]
                for connection in early:
                    await command(connection, "leave room")
                assert site.diary() == [f"start {old}", f"start {new}"]
        await site.until(lambda: not is_alive(old))
        assert site.diary() == [f"start {old}", f"start {new}", f"end {old}"]
        await site.until(lambda: site.server.metric("awxfast_draining_processes") == 0)
        assert int(await site.ask()) == new
        assert site.server.stop() == 0
        assert site.diary()[3:] == [f"end {new}"]
        assert redis_server.client().keys("*") == []
        assert "ended unasked" not in site.server.text()

    async def test_stream_and_request_under_way_are_answered_to_their_end(self, site: Site) -> None:
        old = int(await site.ask())
        url = f"http://127.0.0.1:{site.port}"
        async with aiohttp.ClientSession() as session, session.get(f"{url}/stream") as response:
            await response.content.readline()
            assert " 1 drained" in await site.must_reload()
            for _ in range(3):
                assert int(await response.content.readline()) == old
            (site.folder / "enough").touch()
            rest = await response.content.read()
            assert rest.endswith(f"{old}\n".encode())
            await site.until(lambda: not is_alive(old))
        assert int(await site.ask()) != old

    async def test_connection_that_is_kept_alive_goes_to_the_new_process(self, start_site: Callable[..., Site]) -> None:
        site = start_site("--websocket_connect_timeout", "-1")
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=SLOW)
        connection.auto_open = 0
        connection.connect()

        def ask() -> int:
            connection.request("GET", "/")
            return int(connection.getresponse().read())

        old = await asyncio.to_thread(ask)
        await site.must_reload()
        assert await asyncio.to_thread(ask) not in (0, old)
        connection.close()
        await site.until(lambda: not is_alive(old))

    @pytest.mark.long
    async def test_nobody_is_refused_while_many_connect(self, site: Site) -> None:
        stop = asyncio.Event()
        answers: set[str] = set()

        async def connect_on() -> None:
            while not stop.is_set():
                answers.add(await site.ask())
                async with browser(site.port) as connection:
                    await command(connection, "leave room")

        connecting = [asyncio.create_task(connect_on()) for _ in range(3)]
        await site.until(lambda: answers)
        await site.must_reload()
        await site.until(lambda: len(answers) == 2)
        stop.set()
        await asyncio.gather(*connecting)

    async def test_who_is_left_when_time_is_up_is_told_to_come_back(
        self, start_site: Callable[..., Site], producer: RedisChannelLayer
    ) -> None:
        site = start_site("--reload-drain", "1")
        async with browser(site.port) as connection, browser(site.port) as other:
            await site.must_reload()
            assert [await wait_closed(one) for one in (connection, other)] == [1012, 1012]
        async with browser(site.port) as connection:
            await command(connection, "join room")
            await producer.group_send("room", event("1"))
            assert await receive(connection) == "handled 1"
        await site.until(lambda: len(site.children()) == 1)

    async def test_those_who_never_end_hold_nothing_up(
        self, start_site: Callable[..., Site], producer: RedisChannelLayer
    ) -> None:
        """A client that does not read, a consumer that ignores its cancellation, a thread that is blocked."""
        site = start_site("--reload-drain", "1", "--grace", "1", "--application-close-timeout", "1")
        old = int(await site.ask())
        deaf = await RawBrowser.connect(("127.0.0.1", site.port), receive_buffer=4096)
        deaf.writer.write(handshake("/commands/") + frame("join room"))
        await site.until(lambda: site.redis.client().exists("asgi:group:room"))
        for _ in range(50):
            await producer.group_send("room", {"type": "chat.message", "text": "x" * 200_000})
        async with browser(site.port, "stubborn/") as stubborn, browser(site.port, "blocked/") as blocked:
            await site.must_reload()
            assert int(await site.ask()) != old
            assert [await wait_closed(one) for one in (stubborn, blocked)] == [1012, 1012]
            await site.until(lambda: not is_alive(old))
        assert site.diary().count(f"end {old}") == 1
        assert len(site.children()) == 1
        deaf.writer.close()


FAULTS = {
    "import_raises": ("raise RuntimeError('broken')", "broken"),
    "import_is_killed": ("os.kill(PID, 9)", "the new process ended (exit code -9)"),
    "startup_ends_it": ("def begin(): raise SystemExit('no licence')", "no licence"),
    "startup_is_killed": ("def begin(): os.kill(PID, 9)", "the new process ended (exit code -9)"),
    "killed_when_it_is_to_take": (
        "import awxfast.app.hosted_relay as h\nh.DrainingRelay.accept = lambda *_: os.kill(PID, 9)",
        "the new process ended in the middle of it",
    ),
    "killed_when_it_has_taken": (
        "import awxfast.app.hosted_relay as h\nh.DrainingRelay.take_over = lambda *_: os.kill(PID, 9)",
        "the new process ended (exit code -9)",
    ),
}
NORMAL = {"import_raises", "startup_is_killed", "killed_when_it_has_taken"}


@pytest.mark.timeout(600)
class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [
            *sorted(NORMAL),
            *(pytest.param(fault, marks=pytest.mark.long) for fault in sorted(FAULTS.keys() - NORMAL)),
        ],
    )
    async def test_old_process_goes_on_where_the_new_one(
        self, site: Site, fault: str, producer: RedisChannelLayer
    ) -> None:
        code, reason = FAULTS[fault]
        old = int(await site.ask())
        async with browser(site.port) as connection:
            await command(connection, "join room")
            site.break_next(code)
            said = await site.must_fail()
            assert "the old process goes on: " in said and reason in said
            assert site.children() == [old]
            assert int(await site.ask()) == old
            assert site.server.ledger()["generation"] == 0
            async with browser(site.port) as other:
                await command(other, "join room")
                await producer.group_send("room", event("1"))
                assert [await receive(one) for one in (connection, other)] == ["handled 1"] * 2
            site.mend()
            assert "generation 1, 0 sockets kept, 1 drained" in await site.must_reload()
        await site.until(lambda: not is_alive(old))

    @pytest.mark.long
    async def test_second_reload_during_the_first_is_one_more_generation(self, site: Site) -> None:
        async with browser(site.port):
            both = await asyncio.gather(site.must_reload(), site.must_reload())
            assert sorted(said.split(",")[0] for said in both)[-1] in ("reload: generation 1", "reload: generation 2")
            await site.until(lambda: len(site.children()) == 2)

    @pytest.mark.long
    async def test_only_so_many_drain_at_once(self, site: Site) -> None:
        async with contextlib.AsyncExitStack() as stack:
            connections = []
            for _ in range(3):
                connections.append(await stack.enter_async_context(browser(site.port)))
                await site.must_reload()
            assert "3 earlier processes still drain" in await site.must_fail()
            for connection in connections:
                await command(connection, "leave room")
            await connections[0].close()
            await site.until(lambda: site.server.metric("awxfast_draining_processes") == 2)
            await site.must_reload()

    async def test_the_end_that_is_asked_for_ends_all(self, site: Site, redis_server: RedisServer) -> None:
        old = int(await site.ask())
        async with browser(site.port) as early:
            await site.must_reload()
            async with browser(site.port) as late:
                stopping = asyncio.create_task(asyncio.to_thread(site.server.stop))
                assert [await wait_closed(one) for one in (early, late)] == [1001, 1001]
                assert await stopping == 0
        assert not is_alive(old)
        assert sorted(line.split()[0] for line in site.diary()) == ["end", "end", "start", "start"]
        assert redis_server.client().keys("*") == []

    @pytest.mark.long
    async def test_the_end_that_is_asked_for_while_the_new_one_starts_wins(
        self, site: Site, redis_server: RedisServer
    ) -> None:
        site.break_next("def begin():\n    note('began')\n    time.sleep(3600)")
        async with browser(site.port) as connection:
            site.server.process.send_signal(signal.SIGUSR2)
            await site.until(lambda: any(line.startswith("began") for line in site.diary()))
            children = site.children()
            stopping = asyncio.create_task(asyncio.to_thread(site.server.stop))
            assert await wait_closed(connection) == 1001
            assert await stopping == 0
        assert not any(map(is_alive, children))

    @pytest.mark.long
    async def test_killed_main_takes_all_with_it(self, site: Site) -> None:
        async with browser(site.port):
            await site.must_reload()
            children = site.children()
            assert len(children) == 2
            site.server.process.kill()
            await site.until(lambda: not any(map(is_alive, children)))

    @pytest.mark.long
    async def test_present_process_that_dies_is_replaced_while_the_old_one_drains(self, site: Site) -> None:
        old = int(await site.ask())
        async with browser(site.port) as connection:
            await site.must_reload()
            new = int(await site.ask())
            assert new != old
            os.kill(new, signal.SIGKILL)
            await site.until(lambda: len(site.server.text().split("Listening on TCP address")) == 3)
            assert int(await site.ask()) not in (old, new)
            await command(connection, "leave room")
