"""A new process goes on with every browser of the old one, and whatever is wrong with the new one, the old one does."""

import asyncio
import json
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import websockets
from awxfast.app.handover_leaving import UNSERVED_BYTES
from browsers import Browser, NeverReads, close_browsers, command, open_browser
from events import GROUPS, event_text, group_of
from producers import Producer
from redis_servers import RedisServer
from reloading import Faults, count_descriptors, describe_descriptors, reload
from servers import HANG, AwxfastServer, list_children, wait_for


def balanced(ledger: dict[str, Any]) -> bool:
    return ledger["balance"] == {"events": 0, "frames": 0}


def count_expected(groups: tuple[str, ...], count: int) -> int:
    return sum(group_of(number) in groups for number in range(count))


async def wait_for_all(browsers: list[Browser], groups: tuple[str, ...], count: int) -> None:
    """Everything came, once, in order and unaltered, and nobody was closed."""
    wanted = count_expected(groups, count)
    for browser in browsers:
        await browser.until(lambda browser=browser: browser.events >= wanted)
        assert (browser.events, browser.out_of_order, browser.altered) == (wanted, 0, 0)
        assert not browser.gone.is_set()


def leaves_nothing(redis: RedisServer, relay: AwxfastServer) -> bool:
    """No key, no process, no memory file is left."""
    relay.stop()
    return redis.client().keys("*") == []


PATIENT = ("--websocket_connect_timeout", "-1", "--ping-timeout", "-1", "--queue-frames", "100000")
"""For a process that is a thousand browsers: on a busy machine it is behind by more than a browser may be."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("number", "reloads", "rate"),
    [
        pytest.param(20, 3, 200, id="20_browsers_3_reloads"),
        pytest.param(100, 5, 300, id="100_browsers_5_reloads", marks=pytest.mark.long),
        pytest.param(1000, 20, 300, id="1000_browsers_20_reloads", marks=pytest.mark.long),
    ],
)
async def test_every_browser_gets_every_event_through_reloads(
    start_relay: Callable[..., AwxfastServer],
    new_producer: Callable[..., Producer],
    redis_server: RedisServer,
    number: int,
    reloads: int,
    rate: int,
) -> None:
    relay = start_relay(*PATIENT)
    browsers = [await open_browser(relay.url, GROUPS[:2]) for _ in range(number)]
    producer = new_producer(0, 3 * rate * reloads, "--rate", str(rate))
    main, child = relay.process.pid, relay.child_pid()
    producer.start()
    for generation in range(1, reloads + 1):
        done = await reload(relay)
        assert done.returncode == 0, done.stderr + relay.text()
        assert done.stdout.startswith(f"reload: generation {generation}, {number} sockets kept, 0 drained, silence at")
        late = await open_browser(relay.url, GROUPS[:1])
        await close_browsers([late])
    await asyncio.to_thread(producer.wait)
    await wait_for_all(browsers, GROUPS[:2], producer.count)
    assert (relay.process.pid, relay.process.poll()) == (main, None)
    assert relay.child_pid() != child
    ledger = relay.ledger()
    taken = count_expected(GROUPS[:2], producer.count)
    assert ledger["events"] == {"in": taken, "routed": taken, "no_subscriber": 0, "rejected": {}}
    assert balanced(ledger)
    assert (ledger["gaps"], ledger["clients"], ledger["generation"]) == ({}, number, reloads)
    assert ledger["frames"]["shed"] == {}
    assert relay.metric("awxfast_reloads_total") == reloads
    await close_browsers(browsers)
    assert leaves_nothing(redis_server, relay)


async def test_clients_of_another_library_never_notice(
    relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    producer = new_producer(0, 0, "--on-demand")
    async with websockets.connect(relay.url) as client:
        await client.recv()
        await client.send(command([GROUPS[0]]))
        await client.recv()
        for number in range(2):
            producer.send(GROUPS[0], number)
            assert json.loads(await client.recv())["number"] == number
            assert (await reload(relay)).returncode == 0
        await (await client.ping())
        await client.send(command([GROUPS[1]]))
        reply = json.loads(await client.recv())
        assert (reply["groups_current"], reply["groups_left"]) == ([GROUPS[1]], [GROUPS[0]])
        producer.send(GROUPS[1], 7)
        assert json.loads(await client.recv())["number"] == 7


class SlowReader:
    """Reads nothing for a time, then all, frame by frame."""

    def __init__(self, never: NeverReads, reader: asyncio.StreamReader) -> None:
        self.never = never
        self.reader = reader

    @classmethod
    async def open(cls, port: int, group: str) -> "SlowReader":
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)  # a few hundred events are too much for it
        sock.connect(("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 17)
        payload = command([group]).encode().ljust(126)
        frame = bytes([0x81, 0x80 | 126]) + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload
        writer.write(
            f"GET /websocket/ HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        reading = cls(NeverReads(writer), reader)
        await reading.receive()  # who it is
        writer.write(frame)
        return reading

    async def receive(self) -> bytes:
        """The payload of the next text frame; PINGs are passed over."""
        async with asyncio.timeout(HANG):
            while True:
                opcode, length = await self.reader.readexactly(2)
                if length == 126:
                    length = int.from_bytes(await self.reader.readexactly(2), "big")
                elif length == 127:
                    length = int.from_bytes(await self.reader.readexactly(8), "big")
                payload = await self.reader.readexactly(length)
                if opcode == 0x81:
                    return payload
                assert opcode == 0x89, (hex(opcode), payload)


def waits_in_the_kernel(port: int) -> int:
    """Bytes that were sent to a port of this machine and not read by whoever serves it."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = [(row[1], row[2], row[4].split(":")) for row in rows]
    number = f":{port:04X}"
    unread = sum(int(queues[1], 16) for local, _, queues in ends if local.endswith(number))
    return unread + sum(int(queues[0], 16) for _, remote, queues in ends if remote.endswith(number))


async def test_half_messages_of_many_keep_nobody_waiting(
    relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    """Each as long as a message may be: passed on they are read and written while nobody is served."""
    size = 1_000_000
    browser = await open_browser(relay.url, GROUPS[:1])
    half = bytes([0x81, 0x80 | 127]) + (size + 1).to_bytes(8, "big") + bytes(4) + b"x" * size
    halves = [await SlowReader.open(relay.port, GROUPS[1]) for _ in range(12)]
    for reader in halves:
        assert b"groups_current" in await reader.receive()
        reader.never.writer.write(half)
    for reader in halves:
        await reader.never.writer.drain()
    await asyncio.to_thread(wait_for, lambda: not waits_in_the_kernel(relay.port))
    done = await reload(relay)
    assert done.returncode == 0, done.stderr + relay.text()
    found = re.search(r"generation 1, (\d+) sockets kept", done.stdout)
    assert found is not None
    assert 1 < int(found[1]) < 1 + UNSERVED_BYTES / size, "the largest go, and no more of them than have to"
    wait_for(lambda: f"reload: {13 - int(found[1])} clients are cut off" in relay.text())
    producer = new_producer(0, 100, "--group", GROUPS[0])
    producer.start()
    await asyncio.to_thread(producer.wait)
    await browser.until(lambda: browser.events == 100)
    assert balanced(relay.ledger())
    for reader in halves:
        reader.never.abort()
    await close_browsers([browser])


async def test_frame_half_written_to_who_does_not_read_goes_on_where_it_stopped(
    start_relay: Callable[..., AwxfastServer], new_producer: Callable[..., Producer]
) -> None:
    relay = start_relay("--ping-interval", "3600", "--send-buffer", "16384")
    slow = [await SlowReader.open(relay.port, GROUPS[0]) for _ in range(5)]
    for reader in slow:
        assert b"groups_current" in await reader.receive()
        reader.never.writer.transport.pause_reading()  # type: ignore[attr-defined]
    first, second = (
        new_producer(0, 600, "--group", GROUPS[0]),
        new_producer(0, 100, "--group", GROUPS[0], "--first", "600"),
    )
    first.start()
    await asyncio.to_thread(first.wait)
    wait_for(lambda: relay.ledger()["events"]["in"] == 600)
    assert relay.ledger()["frames"]["pending"] > 1500
    for _ in range(2):
        assert (await reload(relay)).returncode == 0
        assert balanced(relay.ledger())
    second.start()
    await asyncio.to_thread(second.wait)
    for reader in slow:
        reader.never.writer.transport.resume_reading()  # type: ignore[attr-defined]
        for number in range(700):
            assert await reader.receive() == event_text(0, number, GROUPS[0]).encode()
    wait_for(lambda: relay.ledger()["frames"]["pending"] == 0)
    ledger = relay.ledger()
    assert (ledger["frames"]["shed"], ledger["frames"]["lost_at_close"]) == ({}, 0)
    assert ledger["frames"]["written"] == 5 * (700 + 2)
    for reader in slow:
        reader.never.abort()


@pytest.mark.long
async def test_outboxes_that_are_full_stay_full_and_shed_on(
    start_relay: Callable[..., AwxfastServer], new_producer: Callable[..., Producer]
) -> None:
    relay = start_relay("--ping-interval", "3600", "--queue-frames", "200")
    never = [await NeverReads.open(relay.port, GROUPS[:1]) for _ in range(10)]
    browser = await open_browser(relay.url, GROUPS[:1])
    producer = new_producer(0, 6000, "--group", GROUPS[0], "--rate", "1500")
    producer.start()
    for _ in range(2):
        assert (await reload(relay)).returncode == 0
    await asyncio.to_thread(producer.wait)
    await browser.until(lambda: browser.events == 6000)
    assert (browser.out_of_order, browser.altered) == (0, 0)
    ledger = relay.ledger()
    assert balanced(ledger)
    assert sum(ledger["frames"]["shed"].values()) > 10_000
    for client in never:
        client.abort()
    await close_browsers([browser])
    wait_for(lambda: relay.ledger()["clients"] == 0)
    assert balanced(relay.ledger())


async def test_half_of_a_command_before_and_half_after_is_one_command(relay: AwxfastServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    slow = SlowReader(NeverReads(writer), reader)
    writer.write(
        f"GET /websocket/ HTTP/1.1\r\nHost: localhost:{relay.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    await slow.receive()
    payload = command([GROUPS[0]]).encode().ljust(126)
    frame = bytes([0x81, 0x80 | 126]) + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload
    for cut, piece in ((3, frame[:3]), (60, frame[3:60]), (None, frame[60:])):
        writer.write(piece)
        await writer.drain()
        if cut is not None:
            assert (await reload(relay)).returncode == 0
    assert json.loads(await slow.receive())["groups_current"] == [GROUPS[0]]
    writer.close()


async def test_connection_that_was_opened_ahead_of_need_is_served_by_the_new_process(
    start_relay: Callable[..., AwxfastServer],
) -> None:
    relay = start_relay("--websocket_connect_timeout", "-1")
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    assert (await reload(relay)).returncode == 0
    writer.write(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 404 " in await asyncio.wait_for(reader.readline(), HANG)
    writer.close()


FAULTS = {
    "crashes_at_import": ("raise SystemExit('broken')", "the new process ended"),
    "room_can_not_be_imported": ("sys.modules['awxfast.app.relay'] = None", "the new process can't start: unexpected"),
    "another_format": (
        "import awxfast.app.handover as h; h.FORMAT[0] += 1",
        "the new process understands another format",
    ),
    "killed_half_way": (
        "import awxfast.app.handover as h\n"
        "receive, seen = h.receive_message, []\n"
        "def die(sock):\n"
        "    if seen: os.kill(os.getpid(), 9)\n"
        "    seen.append(1)\n"
        "    return receive(sock)\n"
        "h.receive_message = die",
        "the new process ended in the middle of it",
    ),
    "killed_when_it_has_all": (
        "import awxfast.app.native_relay as r\nr.NativeRelay.accept = lambda self, all: os.kill(os.getpid(), 9)",
        "the new process ended in the middle of it",
    ),
    "hangs_half_way": (
        "import time, awxfast.app.handover as h\nh.receive_message = lambda sock: time.sleep(600)",
        "the new process has not answered in time",
    ),
    "has_no_descriptors": (
        "import awxfast.app.handover as h\nh.SPARE = 1 << 40",
        "it may have",
    ),
}


LONG_FAULTS = {"hangs_half_way", "room_can_not_be_imported", "another_format", "has_no_descriptors"}


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=[pytest.mark.long] * (fault in LONG_FAULTS)) for fault in FAULTS]
)
async def test_old_process_goes_on_where_the_new_one(
    faults: Faults, start_relay: Callable[..., AwxfastServer], new_producer: Callable[..., Producer], fault: str
) -> None:
    faults.set("import awxfast.app.handover as h; h.PATIENCE = 0.5" if fault == "hangs_half_way" else "")
    relay = start_relay()
    browsers = [await open_browser(relay.url, GROUPS[:1]) for _ in range(5)]
    producer = new_producer(0, 800, "--rate", "200")
    child = relay.child_pid()
    code, reason = FAULTS[fault]
    faults.set(code)
    producer.start()
    failed = await reload(relay)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert f"the old process goes on: {reason}" in failed.stderr
    assert relay.text().count("the old process goes on") == 1
    assert relay.child_pid() == child
    faults.clear()
    assert (await reload(relay)).returncode == 0
    await asyncio.to_thread(producer.wait)
    await wait_for_all(browsers, GROUPS[:1], 800)
    ledger = relay.ledger()
    assert balanced(ledger)
    assert (ledger["gaps"], ledger["clients"], ledger["generation"]) == ({}, 5, 1)
    await close_browsers(browsers)


@pytest.mark.parametrize("part", ["sockets.connection.Connection", "native.session.NativeSession"])
async def test_one_who_can_not_be_gone_on_with_costs_nobody_else(
    faults: Faults, start_relay: Callable[..., AwxfastServer], new_producer: Callable[..., Producer], part: str
) -> None:
    relay = start_relay()
    module, _, name = part.rpartition(".")
    browsers = [await open_browser(relay.url, GROUPS[:1]) for _ in range(5)]
    faults.set(
        f"from awxfast.{module} import {name} as part\n"
        "resume, seen = part.resume, []\n"
        "def fail(self, one, other):\n"
        "    seen.append(1)\n"
        "    if len(seen) == 3: raise ValueError('it makes no sense')\n"
        "    resume(self, one, other)\n"
        "part.resume = fail"
    )
    done = await reload(relay)
    assert done.stdout.startswith("reload: generation 1, 4 sockets kept"), done.stderr + relay.text()
    assert "a client is lost" in relay.text()
    faults.clear()
    assert (await reload(relay)).stdout.startswith("reload: generation 2, 4 sockets kept")
    (lost,) = [browser for browser in browsers if browser.gone.is_set()]
    browsers.remove(lost)
    producer = new_producer(0, 50, "--group", GROUPS[0])
    producer.start()
    await asyncio.to_thread(producer.wait)
    for browser in browsers:
        await browser.until(lambda browser=browser: browser.events == 50)
    ledger = relay.ledger()
    assert (balanced(ledger), ledger["clients"]) == (True, 4)
    await close_browsers(browsers)


async def test_old_process_goes_on_while_redis_is_away(
    relay: AwxfastServer, new_producer: Callable[..., Producer], redis_server: RedisServer
) -> None:
    browser = await open_browser(relay.url, GROUPS[:1])
    redis_server.kill()
    failed = await reload(relay)
    assert (failed.returncode, "Redis" in failed.stderr) == (1, True)
    redis_server.start()
    wait_for(lambda: relay.ask("/readyz").strip() == "ok")
    producer = new_producer(0, 0, "--on-demand")
    producer.send(GROUPS[0], 3)
    await browser.until(lambda: browser.events == 1)
    assert (await reload(relay)).returncode == 0
    producer.send(GROUPS[0], 4)
    await browser.until(lambda: browser.events == 2)
    await close_browsers([browser])


async def test_two_at_once_are_done_one_after_the_other(relay: AwxfastServer) -> None:
    browser = await open_browser(relay.url, GROUPS[:1])
    both = await asyncio.gather(reload(relay), reload(relay, "--pid", str(relay.process.pid)))
    assert [one.returncode for one in both] == [0, 0]
    wait_for(lambda: relay.ledger()["generation"] in (1, 2))
    assert not browser.gone.is_set()
    await close_browsers([browser])


async def test_the_end_that_is_asked_for_meanwhile_wins(
    faults: Faults, start_relay: Callable[..., AwxfastServer], redis_server: RedisServer
) -> None:
    relay = start_relay()
    browser = await open_browser(relay.url, GROUPS[:1])
    faults.set("import time; time.sleep(600)")
    relay.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: "a new process starts" in relay.text())
    assert relay.stop() == 0
    await browser.gone.wait()
    assert browser.closed == 1001
    assert redis_server.client().keys("*") == []


def test_killed_main_takes_both_processes_with_it(faults: Faults, start_relay: Callable[..., AwxfastServer]) -> None:
    relay = start_relay()
    old = relay.child_pid()
    faults.set("import time, awxfast.process.child as c; c.prepare = lambda start: time.sleep(600)")
    relay.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: len(list_children(relay.process.pid)) == 2)
    both = list_children(relay.process.pid)
    assert old in both
    relay.process.kill()
    relay.process.wait()
    wait_for(lambda: not any(Path(f"/proc/{number}").exists() for number in both))


async def test_nothing_is_left_behind_by_many(relay: AwxfastServer) -> None:
    browsers = [await open_browser(relay.url, GROUPS[:1]) for _ in range(10)]
    counts: list[tuple[int, int]] = []
    for _ in range(4):
        assert (await reload(relay)).returncode == 0
        main, child = relay.process.pid, relay.child_pid()
        counts.append((count_descriptors(main), count_descriptors(child)))
        assert "awxfast-hand-over" not in describe_descriptors(child)
    assert counts[1:] == [counts[1]] * 3
    await close_browsers(browsers)
