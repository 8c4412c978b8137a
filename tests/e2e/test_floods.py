"""One client's flood costs nobody else an event, or more than a moment; every kind of endpoint alike."""

import asyncio
import json
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browsers import Browser, close_browsers
from certificates import SelfSigned
from channels_redis.core import RedisChannelLayer
from picows import WSMsgType, ws_connect
from redis_servers import RedisServer
from servers import HANG, AwxfastServer

GROUP = "job_events-1"
MIB = 1 << 20
SECRET = "of all nodes"
TOKEN = "of-a-browser"
WARM_UP = 30
SITE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Kind:
    """What is sent, and to whom."""

    frames: str
    place: str = "native"
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "-".join([self.place, self.frames, *(option.strip("-") for option in self.options)])


KINDS = [
    Kind("pings"),
    Kind("pongs"),
    Kind("commands"),
    Kind("errors"),
    Kind("fragments"),
    Kind("pings", "unknown"),
    Kind("pings", "tls"),
    # A record for each frame costs its sender a core, and readers and server need theirs: so few that two suffice.
    Kind("pings", "tls", ("--single", "--rate=300000")),
    Kind("commands", "tls"),
    Kind("pings", "node"),
    Kind("events", "node"),
    Kind("pings", "hosted"),
    Kind("binary", "hosted"),
]


class Reader(Browser):
    """Notes how late each event comes. `sent` has the times by number."""

    def __init__(self, sent: list[float]) -> None:
        super().__init__()
        self.sent = sent
        self.ages: list[float] = []
        self.words: list[str] = []

    def receive_text(self, text: str) -> None:
        if not text.startswith("number "):
            self.words.append(text)
            self.changed.set()
            return
        self.out_of_order += int(text[7:]) != len(self.ages)
        self.ages.append(time.monotonic() - self.sent[len(self.ages)])
        self.changed.set()


class Scene:
    """A server with honest readers, and the one who floods it."""

    def __init__(self, kind: Kind, server: AwxfastServer, port: int, redis_url: str, folder: Path) -> None:
        self.kind = kind
        self.server = server
        self.port = port
        self.folder = folder
        self.layer = RedisChannelLayer(hosts=[redis_url])
        self.sent: list[float] = []
        self.readers: list[Reader] = []
        self.most = 0

    async def open_readers(self, count: int) -> None:
        place = self.kind.place
        path = "commands/" if place == "hosted" else f"websocket/?token={TOKEN}"
        scheme = "wss" if place == "tls" else "ws"
        context = ssl.create_default_context(cafile=self.folder / "server.crt") if place == "tls" else None
        command = f"join {GROUP}" if place == "hosted" else '{"groups": {"job_events": [1]}}'
        for _ in range(count):
            _, reader = await ws_connect(
                lambda: Reader(self.sent),
                f"{scheme}://127.0.0.1:{self.port}/{path}",
                ssl_context=context,
                use_aiofastnet=False,
            )
            reader.transport.send(WSMsgType.TEXT, command.encode())
            self.readers.append(reader)
        for reader in self.readers:
            await reader.until(lambda reader=reader: any("join" in word for word in reader.words))

    async def send_events(self, count: int, rate: float) -> None:
        """At a steady rate, by the stock layer."""
        begin, first = time.monotonic(), len(self.sent)
        for number in range(first, first + count):
            self.sent.append(time.monotonic())
            await self.layer.group_send(GROUP, {"type": "internal.message", "text": f"number {number}"})
            self.most = max(self.most, self.server.resident() if number % 20 == 0 else 0)
            await asyncio.sleep(max(0.0, begin + (number - first + 1) / rate - time.monotonic()))
        for reader in self.readers:
            await reader.until(lambda reader=reader: len(reader.ages) == len(self.sent))

    def flood(self, seconds: float) -> subprocess.Popen[str]:
        """The floods are on their way when this returns."""
        kind = self.kind
        command = [sys.executable, str(Path(__file__).with_name("flooder.py")), "--port", str(self.port)]
        command += ["--kind", kind.frames, "--seconds", str(seconds), *kind.options]
        if kind.place == "tls":
            command += ["--certificate", str(self.folder / "server.crt")]
        elif kind.place == "node":
            command += ["--secret", SECRET, "--path", "/websocket/relay/"]
        elif kind.place == "hosted":
            command += ["--path", "/commands/"]
        if kind.place in ("native", "tls"):
            command += ["--path", f"/websocket/?token={TOKEN}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    async def close(self) -> None:
        await close_browsers(self.readers)
        await self.layer.close_pools()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@pytest.fixture
def make_scene(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Kind], Scene]]:
    servers: list[AwxfastServer] = []

    def make(kind: Kind) -> Scene:
        (tmp_path / "tokens").write_text(json.dumps({TOKEN: {"user": 1}}))
        (tmp_path / "secret").write_text(SECRET)
        options: list[str] = []
        port = None
        if kind.place == "tls":
            port = free_port()
            certificate, key = SelfSigned(tmp_path).files
            options += ["-e", f"ssl:{port}:interface=127.0.0.1:privateKey={key}:certKey={certificate}"]
        elif kind.place == "hosted":
            monkeypatch.setenv("EVENTS_SITE_REDIS", redis_server.url)
            monkeypatch.setenv("PYTHONPATH", str(SITE))
            options += ["--direct", "internal.message", "events_site:application"]
        else:
            options += ["--secret-file", str(tmp_path / "secret")]
        auth = None if kind.place == "hosted" else f"tokens={tmp_path / 'tokens'}"
        servers.append(AwxfastServer(redis_server.url, *options, auth=auth))
        return Scene(kind, servers[-1], port or servers[-1].port, redis_server.url, tmp_path)

    yield make
    for server in servers:
        server.close()


async def suffer(scene: Scene, readers: int, seconds: float) -> tuple[float, float]:
    """p50 and p99 of what readers see meanwhile; nothing is lost, memory stays, Redis is there."""
    await scene.open_readers(readers)
    await scene.send_events(WARM_UP, 100)
    before, scene.most = scene.server.resident(), 0
    flooder = await asyncio.to_thread(scene.flood, seconds)
    count = int(100 * (seconds - 0.5))
    await scene.send_events(count, 100)
    output, _ = await asyncio.to_thread(flooder.communicate, timeout=seconds + HANG)
    ages = [age for reader in scene.readers for age in reader.ages[WARM_UP:]]
    cuts = statistics.quantiles(ages, n=100)
    print(
        f"{scene.kind}: {int(output) / seconds / 1e6:.1f} MB/s sent, p50 {1000 * cuts[49]:.1f} ms,"
        f" p99 {1000 * cuts[98]:.1f} ms, max {1000 * max(ages):.0f} ms, memory +{(scene.most - before) / MIB:.1f} MiB"
    )
    assert len(ages) == readers * count
    assert all((reader.out_of_order, reader.closed) == (0, None) for reader in scene.readers)
    assert scene.most - before <= 20 * MIB
    assert scene.server.metric("awxfast_redis_up") == 1
    assert "is away" not in scene.server.text()
    ledger = scene.server.ledger()
    assert ledger["balance"] == {"events": 0, "frames": 0}
    assert sum(ledger["frames"]["shed"].values()) == 0
    await scene.close()
    return cuts[49], cuts[98]


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_others_get_all_in_time_while_four_sockets_flood(kind: Kind, make_scene: Callable[[Kind], Scene]) -> None:
    """Scaled: 20 readers, 1.5 s; the bounds of time ten times as wide."""
    median, late = await suffer(make_scene(kind), 20, 1.5)
    assert median <= 0.2
    assert late <= 1.0


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_100_readers_get_all_in_time_for_30_seconds(kind: Kind, make_scene: Callable[[Kind], Scene]) -> None:
    median, late = await suffer(make_scene(kind), 100, 30.0)
    assert median <= 0.02
    assert late <= 0.1
