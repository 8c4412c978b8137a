"""A hosted application is reloaded under `--reload-consumers replay`: sockets are kept, consumers begin anew."""

import asyncio
import contextlib
from collections.abc import Callable

import aiohttp
import pytest
from channels_redis.core import RedisChannelLayer
from main_process import is_alive
from node_server import SECRET, relayed, sign
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from redis_servers import RedisServer
from reloaded_site import SLOW, Site, wait_closed
from site_browsers import browser, command, event, receive
from websockets.asyncio.client import connect

REPLAY = ("--reload-consumers", "replay")


@pytest.fixture
def site(start_site: Callable[..., Site]) -> Site:
    return start_site(*REPLAY)


@pytest.mark.timeout(600)
class TestReplay:
    async def test_browsers_stay_in_their_groups_and_are_told_nothing_twice(
        self, site: Site, producer: RedisChannelLayer, redis_server: RedisServer
    ) -> None:
        old = int(await site.ask())
        async with contextlib.AsyncExitStack() as stack:
            browsers = [await stack.enter_async_context(browser(site.port)) for _ in range(3)]
            for connection in browsers:
                await command(connection, "join room")
            for number in range(2):
                said = await site.must_reload()
                assert said.startswith(f"reload: generation {number + 1}, 3 sockets kept, 0 drained, ")
                await producer.group_send("room", event(str(number)))
                await producer.group_send("room", {"type": "chat.message", "text": str(number)})
                for connection in browsers:
                    assert [await receive(connection) for _ in range(2)] == [f"handled {number}", f"chat {number}"]
            for connection in browsers:
                await command(connection, "leave room")
            await site.until(lambda: len(site.children()) == 1)
            assert not is_alive(old)
            assert site.server.ledger()["clients"] == 3
            assert site.server.ledger()["gaps"] == {}
        assert site.server.stop() == 0
        assert redis_server.client().keys("*") == []

    async def test_what_is_not_served_yet_is_served_by_the_new_consumer(self, site: Site) -> None:
        async with browser(site.port) as connection:
            await connection.send("wait 5")
            await connection.send("leave a")
            await connection.send("leave b")
            await site.must_reload()
            assert [await receive(connection) for _ in range(3)] == ["done wait", "done leave", "done leave"]

    @pytest.mark.long
    async def test_who_has_said_nothing_goes_on(self, site: Site) -> None:
        async with browser(site.port) as connection:
            await site.must_reload()
            await command(connection, "leave room")

    async def test_what_waits_for_a_slow_browser_comes_whole_and_in_order(
        self, site: Site, producer: RedisChannelLayer
    ) -> None:
        texts = [f"{number:03} ".ljust(200_000, "x") for number in range(60)]
        url = f"ws://127.0.0.1:{site.port}/commands/"
        async with connect(url, open_timeout=SLOW, max_queue=1) as connection, browser(site.port) as witness:
            await command(connection, "join room")
            await command(witness, "join room")
            for text in texts:
                await producer.group_send("room", {"type": "chat.message", "text": text})
            for text in texts:
                assert await receive(witness) == f"chat {text}"
            await site.must_reload()
            for text in texts:
                assert await receive(connection) == f"chat {text}"
            await command(connection, "leave room")

    async def test_stream_under_way_is_answered_to_its_end(self, site: Site) -> None:
        old = int(await site.ask())
        url = f"http://127.0.0.1:{site.port}/stream"
        async with browser(site.port) as connection, aiohttp.ClientSession() as session, session.get(url) as response:
            await response.content.readline()
            assert ", 1 sockets kept, 1 drained, " in await site.must_reload()
            assert int(await response.content.readline()) == old
            await command(connection, "leave room")
            (site.folder / "enough").touch()
            assert (await response.content.read()).endswith(f"{old}\n".encode())
            await site.until(lambda: not is_alive(old))
        assert int(await site.ask()) != old

    async def test_websocket_whose_last_text_is_too_long_is_told_to_come_back(self, site: Site) -> None:
        async with browser(site.port) as connection:
            await command(connection, "leave room " + "x" * 70_000)
            await site.must_reload()
            assert await wait_closed(connection) == 1012

    async def test_link_of_another_node_stays_and_what_it_sends_waits_for_the_consumers(
        self, start_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EVENTS_SITE_NODE_SECRET", SECRET)
        site = start_site(*REPLAY, "--direct", "internal.message")
        url = f"http://127.0.0.1:{site.port}/websocket/relay/"
        sent, stop = 0, asyncio.Event()
        async with browser(site.port) as connection, aiohttp.ClientSession() as session:
            await command(connection, "join room")
            async with session.ws_connect(url, headers=sign()) as link:

                async def send() -> None:
                    nonlocal sent
                    while not stop.is_set():
                        await link.send_str(relayed("room", str(sent)))
                        sent += 1
                        await asyncio.sleep(0.01)

                sending = asyncio.create_task(send())
                assert ", 2 sockets kept, 0 drained, " in await site.must_reload()
                stop.set()
                await sending
                assert [await receive(connection) for _ in range(sent)] == [str(number) for number in range(sent)]
                assert not link.closed
            ledger = site.server.ledger()
            assert (ledger["gaps"], ledger["peers"][0]["received"]) == ({}, sent)


REFUSALS = {
    "refuses": "async def connect(self): await self.close()",
    "raises": "async def connect(self): raise RuntimeError('no')",
    "does_not_decide": "async def connect(self): await asyncio.sleep(3600)",
    "wants_a_subprotocol": "async def connect(self): await self.accept('another')",
}


@pytest.mark.timeout(600)
class TestFaults:
    @pytest.mark.parametrize(
        "refusal",
        ["refuses", *(pytest.param(one, marks=pytest.mark.long) for one in REFUSALS if one != "refuses")],
    )
    async def test_browser_is_told_to_come_back_where_the_new_consumer(self, site: Site, refusal: str) -> None:
        async with browser(site.port) as connection:
            await command(connection, "leave room")
            site.break_next(f"import events_site\n{REFUSALS[refusal]}\nevents_site.Commands.connect = connect")
            await site.must_reload()
            assert await wait_closed(connection) == 1012

    async def test_browser_is_told_to_come_back_where_the_last_text_makes_the_new_consumer_fail(
        self, site: Site
    ) -> None:
        async with browser(site.port) as connection:
            await command(connection, "leave room")
            site.break_next(
                "import events_site\n"
                "async def receive(self, **_): raise RuntimeError('no')\n"
                "events_site.Commands.receive = receive"
            )
            await site.must_reload()
            assert await wait_closed(connection) == 1012

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            pytest.param("raise RuntimeError('broken')", "broken", marks=pytest.mark.long),
            pytest.param("def begin(): os.kill(PID, 9)", "the new process ended", marks=pytest.mark.long),
            (
                "import awxfast.app.replaying_relay as r\nr.ReplayingRelay.accept = lambda *_: os.kill(PID, 9)",
                "the new process ended in the middle of it",
            ),
        ],
        ids=["import_raises", "startup_is_killed", "killed_when_it_is_to_take"],
    )
    async def test_old_process_goes_on_with_its_consumers_where_the_new_one(
        self, site: Site, producer: RedisChannelLayer, code: str, reason: str
    ) -> None:
        old = int(await site.ask())
        async with browser(site.port) as connection:
            await command(connection, "join room")
            site.break_next(code)
            said = await site.must_fail()
            assert "the old process goes on: " in said and reason in said
            assert int(await site.ask()) == old
            await producer.group_send("room", event("1"))
            assert await receive(connection) == "handled 1"
            site.mend()
            assert ", 1 sockets kept, 0 drained, " in await site.must_reload()
            await producer.group_send("room", event("2"))
            assert await receive(connection) == "handled 2"

    async def test_another_process_starts_where_the_new_one_dies_with_all_of_it(
        self, site: Site, producer: RedisChannelLayer
    ) -> None:
        old = int(await site.ask())
        async with browser(site.port) as connection:
            await command(connection, "join room")
            site.break_next(
                "import awxfast.app.replaying_relay as r\nr.ReplayingRelay.take_over = lambda *_: os.kill(PID, 9)"
            )
            assert "another process starts: the new process ended (exit code -9)" in await site.must_fail()
            site.mend()
            await wait_closed(connection)
        await site.until(lambda: not is_alive(old) and len(site.children()) == 1)
        async with browser(site.port) as connection:
            await command(connection, "join room")
            await producer.group_send("room", event("1"))
            assert await receive(connection) == "handled 1"


class Watcher(WSListener):
    """Joins its room, and wants the numbers of all that is sent to it, from 0 on."""

    def __init__(self, room: str) -> None:
        self.room = room
        self.joined = asyncio.Event()
        self.next = 0
        self.faults: list[str] = []
        self.closed = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        transport.send(WSMsgType.TEXT, f"join {self.room}".encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        text = frame.get_payload_as_utf8_text() if frame.msg_type == WSMsgType.TEXT else str(frame)
        if text == "done join" and not self.joined.is_set():
            self.joined.set()
        elif text == str(self.next):
            self.next += 1
        else:
            self.faults.append(f"{text} for {self.next}")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.closed = True


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("number", "rate", "reloads"),
    [
        pytest.param(20, 50, 2, id="20_browsers_2_reloads"),
        pytest.param(200, 500, 5, id="200_browsers_5_reloads", marks=pytest.mark.long),
    ],
)
async def test_every_browser_gets_every_event_through_reloads(
    start_site: Callable[..., Site], producer: RedisChannelLayer, number: int, rate: int, reloads: int
) -> None:
    """Messages that go straight to sockets, as AWX's do."""
    site = start_site(*REPLAY, "--direct", "internal.message")
    rooms = [f"room-{room}" for room in range(10)]
    sent = dict.fromkeys(rooms, 0)
    watchers = []
    for index in range(number):
        watcher = Watcher(rooms[index % len(rooms)])
        url = f"ws://127.0.0.1:{site.port}/commands/"
        await ws_connect(lambda watcher=watcher: watcher, url, use_aiofastnet=False)
        await asyncio.wait_for(watcher.joined.wait(), SLOW)
        watchers.append(watcher)
    stop = asyncio.Event()

    async def send(room: str) -> None:
        await producer.group_send(room, {"type": "internal.message", "text": str(sent[room])})
        sent[room] += 1

    async def produce() -> None:
        due = asyncio.get_running_loop().time()
        while not stop.is_set():
            await asyncio.gather(*map(send, rooms))
            due += len(rooms) / rate
            await asyncio.sleep(due - asyncio.get_running_loop().time())

    producing = asyncio.create_task(produce())
    for generation in range(1, reloads + 1):
        before = dict(sent)
        assert f"generation {generation}, {number} sockets kept, 0 drained, " in await site.must_reload()
        await site.until(lambda before=before: all(sent[room] > before[room] for room in rooms))
    stop.set()
    await producing

    def have_all() -> bool:
        return all(watcher.next == sent[watcher.room] or watcher.faults for watcher in watchers)

    await site.until(have_all)
    assert [watcher.faults for watcher in watchers if watcher.faults] == []
    assert not any(watcher.closed for watcher in watchers)
    ledger = site.server.ledger()
    assert (ledger["gaps"], ledger["clients"], ledger["generation"]) == ({}, number, reloads)
    for watcher in watchers:
        watcher.transport.disconnect()
