"""`python -m awxfast.broadcast` as an operator runs it, beside a stock-like node with a Redis of its own."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from awxfast import __version__
from awxfast_dialler import AwxfastDialler
from broadcast.flooding_peer import EMPTY_FRAGMENTS, KINDS, FloodingPeer, flood, subscriptions, write_once
from main_process import clean_environment
from nodes import SECRET
from peer_server import until
from prometheus_client.parser import text_string_to_metric_families
from redis_servers import RedisServer
from servers import HANG, wait_for
from stock_layer import new_layer, send_event
from stock_server import StockServer

GROUP = "job_events-7"


@pytest.fixture
def far_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    return file


@pytest.fixture
async def peer(far_redis: RedisServer, request: pytest.FixtureRequest) -> AsyncIterator[StockServer]:
    server = StockServer(far_redis.url, SECRET, getattr(request, "param", "relay"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def dial(redis_server: RedisServer, secret_file: Path) -> AsyncIterator[Callable[..., Any]]:
    started: list[AwxfastDialler] = []

    async def dial(*peers: StockServer, options: tuple[str, ...] = ()) -> AwxfastDialler:
        addresses = [f"127.0.0.1:{peer.port}" for peer in peers]
        started.append(AwxfastDialler(redis_server.url, secret_file, "auto", addresses, "--name", "me", *options))
        await asyncio.to_thread(started[-1].start)
        return started[-1]

    yield dial
    for dialler in started:
        await asyncio.to_thread(dialler.close)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "awxfast.broadcast", *words]
    environment = clean_environment(**environ)
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=HANG, env=environment)


class TestEvents:
    @pytest.mark.parametrize("peer", ["broadcast"], indirect=True)
    async def test_peers_events_reach_this_nodes_consumers_and_nothing_is_left_behind(
        self, redis_server: RedisServer, far_redis: RedisServer, peer: StockServer, dial: Callable[..., Any]
    ) -> None:
        near, far = new_layer(redis_server.url), new_layer(far_redis.url)
        channel = await near.new_channel()
        await near.group_add(GROUP, channel)
        dialler = await dial(peer)
        await until(lambda: peer.links)
        with far_redis.client() as client:
            await until(lambda: client.zcard("asgi:group:broadcast-group_send"))
        for number in range(50):
            await send_event(far, "broadcast", GROUP, json.dumps({"n": number}))
        texts = [(await near.receive(channel))["text"] for _ in range(50)]
        assert [json.loads(text)["n"] for text in texts] == list(range(50))
        ledger = await asyncio.to_thread(dialler.ledger)
        assert ledger["balance"] == {"events": 0, "frames": 0}
        assert (ledger["events"]["in"], ledger["events"]["routed"]) == (50, 50)
        await near.group_discard(GROUP, channel)
        assert await asyncio.to_thread(dialler.stop) == 0
        with redis_server.client() as client:
            assert client.keys() == []
        for layer in (near, far):
            await layer.close_pools()

    async def test_events_of_the_relay_era_reach_whom_asked_for_them(
        self, redis_server: RedisServer, far_redis: RedisServer, peer: StockServer, dial: Callable[..., Any]
    ) -> None:
        near, far = new_layer(redis_server.url), new_layer(far_redis.url)
        channel = await far.new_channel()
        await far.group_add(GROUP, channel)
        dialler = await dial(peer)
        with far_redis.client() as client:
            await until(lambda: client.zcard("asgi:group:broadcast-group_send"))
        notice = {"type": "consumer.subscribe", "groups": [GROUP], "origin_channel": channel}
        await far.group_send("broadcast-group_send", notice)
        with redis_server.client() as client:
            await until(lambda: client.zcard(f"asgi:group:{GROUP}"))
        for number in range(50):
            await send_event(near, "relay", GROUP, json.dumps({"n": number}))
        received = [await far.receive(channel) for _ in range(50)]
        assert [json.loads(message["text"])["n"] for message in received] == list(range(50))
        assert all("needs_relay" not in message for message in received)
        assert await asyncio.to_thread(dialler.stop) == 0
        with redis_server.client() as client:
            assert client.keys() == []
        for layer in (near, far):
            await layer.close_pools()


class TestEncryptedLayer:
    """This node's own Redis is encrypted, the peer's is not."""

    @pytest.mark.parametrize("peer", ["broadcast"], indirect=True)
    async def test_peers_events_are_encrypted_for_this_nodes_consumers(
        self,
        redis_server: RedisServer,
        far_redis: RedisServer,
        peer: StockServer,
        dial: Callable[..., Any],
        tmp_path: Path,
    ) -> None:
        near, far = new_layer(redis_server.url, symmetric_encryption_keys=["sesame"]), new_layer(far_redis.url)
        channel = await near.new_channel()
        await near.group_add(GROUP, channel)
        keys = write(tmp_path / "keys", "sesame")
        await dial(peer, options=("--encryption-key-file", str(keys)))
        with far_redis.client() as client:
            await until(lambda: client.zcard("asgi:group:broadcast-group_send"))
        for number in range(20):
            await send_event(far, "broadcast", GROUP, json.dumps({"n": number}))
        texts = [(await near.receive(channel))["text"] for _ in range(20)]
        assert [json.loads(text)["n"] for text in texts] == list(range(20))
        for layer in (near, far):
            await layer.close_pools()

    async def test_encrypted_events_reach_the_peer_also_with_other_keys_after_a_hangup(
        self,
        redis_server: RedisServer,
        far_redis: RedisServer,
        peer: StockServer,
        dial: Callable[..., Any],
        tmp_path: Path,
    ) -> None:
        far = new_layer(far_redis.url)
        old, new = (new_layer(redis_server.url, symmetric_encryption_keys=[key]) for key in ("old sesame", "sesame"))
        channel = await far.new_channel()
        await far.group_add(GROUP, channel)
        keys = write(tmp_path / "keys", "old sesame")
        dialler = await dial(peer, options=("--encryption-key-file", str(keys)))
        with far_redis.client() as client:
            await until(lambda: client.zcard("asgi:group:broadcast-group_send"))
        await far.group_send(
            "broadcast-group_send", {"type": "consumer.subscribe", "groups": [GROUP], "origin_channel": channel}
        )
        with redis_server.client() as client:
            await until(lambda: client.zcard(f"asgi:group:{GROUP}"))
        await send_event(old, "relay", GROUP, "1")
        assert (await far.receive(channel))["text"] == "1"
        await send_event(new, "relay", GROUP, "2")
        await until(lambda: "no key reads them" in dialler.text())
        ledger = await asyncio.to_thread(dialler.ledger)
        assert ledger["events"]["rejected"]["undecryptable"] == 1
        write(keys, "sesame\nold sesame\n")
        dialler.signal(signal.SIGHUP)
        received = asyncio.create_task(far.receive(channel))
        while not received.done():  # nobody says when the files are read
            await send_event(new, "relay", GROUP, "3")
            await asyncio.wait([received], timeout=0.05)
        assert received.result()["text"] == "3"
        assert "sesame" not in dialler.text() + await asyncio.to_thread(dialler.ask, "/metrics")
        for layer in (old, new, far):
            await layer.close_pools()


class TestOperation:
    async def test_pages_statistics_and_status(
        self, redis_server: RedisServer, peer: StockServer, dial: Callable[..., Any]
    ) -> None:
        dialler = await dial(peer)
        with redis_server.client() as client:
            await until(lambda: b'"connected"} 1.0' in (client.get("broadcast_websocket_stats") or b""))
        metrics = await asyncio.to_thread(dialler.ask, "/metrics")
        samples = {
            (sample.name, sample.labels.get("peer")): sample.value
            for family in text_string_to_metric_families(metrics)
            for sample in family.samples
        }
        assert samples["awxfast_peer_up", f"127.0.0.1:{peer.port}"] == 1
        assert await asyncio.to_thread(dialler.ask, "/healthz") == "ok\n"
        assert await asyncio.to_thread(dialler.ask, "/readyz") == "ok\n"
        words = ("--status", "--redis", redis_server.url, "--name", "me", "--peer", "127.0.0.1", "--peer", "web-2")
        status = await asyncio.to_thread(run, *words)
        assert status.returncode == 0
        lines = status.stdout.splitlines()
        assert lines[0] == 'Relay websocket connection status from "me" to:'
        assert "\033[92mconnected\033[0m" in lines[2]
        assert "N/A" in lines[3]

    async def test_secret_and_peers_are_read_again(
        self,
        peer: StockServer,
        dial: Callable[..., Any],
        secret_file: Path,
        tmp_path: Path,
    ) -> None:
        peers = write(tmp_path / "peers", "")
        write(secret_file, "another")
        dialler = await dial(options=("--peers-file", str(peers)))
        assert "Dialling 0 peers as me" in dialler.text()
        assert dialler.text().count(f"awxfast {__version__}") == 1
        write(peers, f"127.0.0.1:{peer.port}\n")
        await until(lambda: "refuses our secret" in dialler.text())
        write(secret_file, SECRET)
        dialler.signal(signal.SIGHUP)
        await until(lambda: peer.links)

    async def test_redis_that_is_away_ends_nothing(
        self, redis_server: RedisServer, peer: StockServer, dial: Callable[..., Any]
    ) -> None:
        await asyncio.to_thread(redis_server.kill)
        dialler = await dial(peer)
        await until(lambda: peer.links)
        await asyncio.to_thread(redis_server.start)
        await until(lambda: "is back" in dialler.text())
        assert await asyncio.to_thread(dialler.stop) == 0

    async def test_two_peers_and_one_registration(
        self, redis_server: RedisServer, far_redis: RedisServer, peer: StockServer, dial: Callable[..., Any]
    ) -> None:
        other = StockServer(far_redis.url, SECRET, "relay")
        await other.start()
        dialler = await dial(peer, other)
        await asyncio.to_thread(wait_for, lambda: len(dialler.connected()) == 2)
        with redis_server.client() as client:
            await until(lambda: client.zcard("asgi:group:metrics"))
            assert client.zcard("asgi:group:metrics") == 1
        await other.stop()


class TestFloodingPeer:
    @pytest.mark.parametrize("kind", [*KINDS, "fragments without end"])
    async def test_term_ends_it_whatever_a_peer_sends(
        self, redis_server: RedisServer, secret_file: Path, kind: str
    ) -> None:
        misdeed = flood(KINDS[kind]) if kind in KINDS else write_once(EMPTY_FRAGMENTS)
        async with FloodingPeer(misdeed) as peer:
            address = f"127.0.0.1:{peer.port}"
            dialler = AwxfastDialler(redis_server.url, secret_file, "relay", [address], "--name", "me")
            await asyncio.to_thread(dialler.start)
            try:
                await until(lambda: peer.links)
                await asyncio.sleep(0.5)
                begun = time.monotonic()
                assert await asyncio.to_thread(dialler.stop) == 0
                took = time.monotonic() - begun
            finally:
                dialler.kill()
                await asyncio.to_thread(dialler.close)
        print(f"{took:.2f} s")
        assert took < 10, "a second, on a machine that has nothing else to do"
        with redis_server.client() as client:
            assert client.keys("asgi:group:*") == []

    @pytest.mark.parametrize("groups", [5_000, pytest.param(50_000, marks=pytest.mark.long)])
    async def test_term_ends_it_however_many_groups_a_peer_has_named(
        self, redis_server: RedisServer, secret_file: Path, groups: int
    ) -> None:
        async with FloodingPeer(write_once(subscriptions(groups))) as peer:
            address = f"127.0.0.1:{peer.port}"
            dialler = AwxfastDialler(redis_server.url, secret_file, "relay", [address], "--name", "me")
            await asyncio.to_thread(dialler.start)
            with redis_server.client() as client:
                await asyncio.to_thread(wait_for, lambda: client.dbsize() > groups)
                begun = time.monotonic()
                assert await asyncio.to_thread(dialler.stop) == 0
                took = time.monotonic() - begun
                assert client.keys() == []
            await asyncio.to_thread(dialler.close)
        print(f"{took:.2f} s")
        assert took < 10, "half a second, on a machine that has nothing else to do"


class TestRefusals:
    def test_wrong_option_is_one_line_and_exit_2(self) -> None:
        done = run("--era", "both")
        assert done.returncode == 2
        assert re.fullmatch(r"awxfast-broadcast: .*--era.*\n", done.stderr)

    def test_without_a_secret_nobody_is_dialled(self) -> None:
        done = run("--redis", "unix:///nowhere")
        assert done.returncode == 2
        assert "--secret-file" in done.stderr

    def test_admin_listener_is_for_this_machine(self) -> None:
        done = run("--redis", "unix:///nowhere", "--admin", "0.0.0.0:0", AWXFAST_SECRET="s")
        assert done.returncode == 2
        assert "loopback" in done.stderr

    def test_status_without_redis_is_one_line_and_exit_1(self) -> None:
        done = run("--redis", "unix:///nowhere", "--status")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1

    def test_peers_file_that_is_not_there_is_named(self, redis_server: RedisServer) -> None:
        done = run("--redis", redis_server.url, "--peers-file", "/nowhere", AWXFAST_SECRET="s")
        assert done.returncode == 2
        assert "/nowhere" in done.stderr.splitlines()[-1]
