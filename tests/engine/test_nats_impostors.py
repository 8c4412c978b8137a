"""The carrier and servers that say what no server of NATS says: each costs its connection, and one line."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from awxfast.engine import nats_connection, nats_parser
from awxfast.engine.nats_parser import MOST_PAYLOAD
from nats_users import CHANNEL, Join, NatsUser, until

PASSWORD = "Sesame-9"


def introduce(**more: Any) -> bytes:
    info = {"server_id": "x", "version": "2.10.0", "max_payload": 1_048_576, **more}
    return b"INFO %b\r\n" % json.dumps(info).encode()


class Impostor:
    """Takes everybody, answers pings, and says what a test wants: in the place of its first greeting, or later."""

    def __init__(self) -> None:
        self.greetings: list[bytes] = []
        self.answer_login: Callable[[bytes], bytes] = lambda line: b""
        self.writers: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self.reads = asyncio.Event()
        self.reads.set()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        writer.write(self.greetings.pop(0) if self.greetings else introduce())
        with contextlib.suppress(ConnectionError, ValueError):
            while line := await reader.readline():
                if line.startswith(b"CONNECT"):
                    writer.write(self.answer_login(line))
                elif line.startswith(b"PING"):
                    writer.write(b"PONG\r\n")
                await self.reads.wait()
        self.writers.discard(writer)
        writer.close()

    def say(self, data: bytes) -> None:
        for writer in self.writers:
            writer.write(data)


@pytest.fixture
async def impostor() -> AsyncIterator[Impostor]:
    one = Impostor()
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    listening.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(one.serve, sock=listening)
    one.port = int(listening.getsockname()[1])
    yield one
    server.close()
    one.reads.set()
    for writer in one.writers:
        writer.transport.abort()
    await asyncio.sleep(0.01)


@pytest.fixture
async def user(impostor: Impostor, join_nats: Join) -> NatsUser:
    user = await join_nats(f"nats://awx:{PASSWORD}@127.0.0.1:{impostor.port}")
    await user.until_up()
    return user


def read_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What operators would look at."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense \x1b[31m\r\n",
        b"MSG a 1 99999999999\r\n",
        b"MSG " + b"x" * 70_000,
        b"INFO []\r\n",
        b"INFO " + b"[" * 60_000 + b"\r\n",
        b"-ERR '\xff\xfe\x1b[31m'\r\n",
        b"-ERR 'Stale Connection'\r\n" * 1_000,
        b"+OK\r\n" * 60_000,
    ],
)
async def test_costs_its_connection_and_one_line(
    impostor: Impostor, user: NatsUser, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    impostor.say(said)
    await until(lambda: impostor.connections == 2 and user.cuts == 1)
    (line,) = read_lines(caplog)
    assert "; trying again" in line and line.isprintable() and len(line) < 400


@pytest.mark.parametrize(
    "greeting",
    [
        b"INFO []\r\n",
        b"INFO {\r\n",
        b"INFO \xff\r\n",
        b"x" * 100_000,
        b"\r\n",
        introduce(connect_urls=[f"10.0.0.1:{port}" for port in range(1, 50_000)]),
        introduce(tls_required="yes"),
        introduce()[:-2],
        b"-ERR 'no " + b"x" * 10_000 + b"'\r\n",
    ],
)
async def test_that_greets_wrongly_is_left_for_another_try(
    impostor: Impostor, join_nats: Join, caplog: pytest.LogCaptureFixture, greeting: bytes
) -> None:
    impostor.greetings = [greeting]
    user = await join_nats(f"nats://127.0.0.1:{impostor.port}")
    await user.until_up()
    assert impostor.connections == 2
    (line,) = read_lines(caplog)
    assert "; trying again" in line and line.isprintable() and len(line) < 400


@pytest.mark.parametrize("limit", [-1, 0, "x", None, True, [], 10**30, 1.5])
async def test_limit_that_makes_no_sense_is_none(impostor: Impostor, user: NatsUser, limit: object) -> None:
    impostor.say(introduce(max_payload=limit) + b'INFO {"connect_urls": ["seen:1"]}\r\n')
    await until(lambda: len(user.carrier._connector.servers) == 2)
    assert user.carrier.up and 1_048_576 <= user.carrier.most_bytes <= MOST_PAYLOAD


async def test_names_without_end_and_of_any_kind_are_bounded(impostor: Impostor, user: NatsUser) -> None:
    names = ["\x1b[31mx:1", "y" * 300 + ":1", 7, None, *(f"host-{number}:1" for number in range(2_000))]
    impostor.say(introduce(connect_urls=names))
    await until(lambda: len(user.carrier._connector.servers) > 1)
    assert len(user.carrier._connector.servers) <= 21 and user.carrier.up
    assert all(host.startswith(("host-", "127.")) for host, _ in user.carrier._connector.servers._turn)


@pytest.mark.parametrize("when", ["login", "later"])
async def test_that_repeats_the_login_does_not_bring_it_into_the_log(
    impostor: Impostor, join_nats: Join, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[bytes] = []

    def repeat(line: bytes) -> bytes:
        said.append(b"-ERR 'no " + line.strip() + b"'\r\n-ERR 'no %b'\r\n" % PASSWORD.encode())
        return said[0] if when == "login" and len(said) == 1 else b""

    impostor.answer_login = repeat
    user = await join_nats(f"nats://awx:{PASSWORD}@127.0.0.1:{impostor.port}")
    await user.until_up()
    for part in said[0].splitlines(keepends=True) if when == "later" else ():
        cuts = user.cuts
        impostor.say(part)
        await until(lambda cuts=cuts: user.cuts > cuts)  # type: ignore[misc]
    assert any("it says" in line for line in read_lines(caplog))
    assert PASSWORD.lower() not in caplog.text.lower()


async def test_that_takes_nothing_but_goes_on_asking_is_left(
    impostor: Impostor, user: NatsUser, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_connection, "MOST_UNREAD", 100_000)
    monkeypatch.setattr(nats_parser, "MOST_WORK", 10**9)
    impostor.reads.clear()

    async def ask() -> None:
        with contextlib.suppress(RuntimeError):  # uvloop's, of a connection that is closed
            while impostor.connections == 1:
                impostor.say(b"PING\r\n" * 10_000 + b"PONG\r\n")
                await asyncio.sleep(0.001)

    asking = asyncio.create_task(ask())
    await until(lambda: bool(read_lines(caplog)))
    impostor.reads.set()
    await until(lambda: user.cuts == 1)
    await asking
    assert "it does not take what it is sent" in read_lines(caplog)[0]


async def test_that_denies_what_was_never_said_costs_one_line_and_no_time(
    impostor: Impostor, user: NatsUser, caplog: pytest.LogCaptureFixture
) -> None:
    impostor.reads.clear()
    for _ in range(3):
        user.carrier.publish(CHANNEL, b"x", 2)
    await until(lambda: user.carrier.figures().published == 3)
    denied = b"-ERR 'Permissions Violation for Publish to \"%b\"'\r\n"
    impostor.say(b"".join(denied % b"no.%d" % number for number in range(5_000)) + 2 * (denied % CHANNEL.encode()))
    await until(lambda: user.lost_events == 4)
    impostor.reads.set()
    assert user.carrier.up and len(read_lines(caplog)) == 1


async def test_that_denies_what_nobody_wants_any_more_is_no_trouble(
    impostor: Impostor, user: NatsUser, caplog: pytest.LogCaptureFixture
) -> None:
    impostor.say(
        b"-ERR 'Permissions Violation for Subscription to \"gone\"'\r\n" + b'INFO {"connect_urls": ["seen:1"]}\r\n'
    )
    await until(lambda: len(user.carrier._connector.servers) == 2)
    await asyncio.sleep(0.01)
    assert user.carrier.up and read_lines(caplog) == []


@pytest.mark.parametrize("last", [b"-ERR 'maximum subscriptions exceeded'\r\n", b""])
async def test_that_ends_with_its_first_answer_keeps_nobody_waiting(
    join_nats: Join, caplog: pytest.LogCaptureFixture, last: bytes
) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(introduce())
        pings = 0
        while pings < 2 and (line := await reader.readline()):
            pings += line.startswith(b"PING")
            if pings == 1 and line.startswith(b"PING"):
                writer.write(b"PONG\r\n")  # to the login
        writer.write(last + b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = await join_nats(f"nats://awx:{PASSWORD}@127.0.0.1:{port}")
    subscribing = asyncio.create_task(user.carrier.subscribe([CHANNEL]))
    await until(lambda: connections >= 3)
    assert not user.carrier.up and "connected to" not in caplog.text
    assert user.carrier.needs_change == bool(last)
    subscribing.cancel()
    server.close()
