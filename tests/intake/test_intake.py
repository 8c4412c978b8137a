"""The intake as the application uses it, with unmodified producers and other processes around it."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis
from awxfast._rust import Fanout
from awxfast.errors import ConfigurationError, RedisReplyError
from awxfast.intake.clean_up import Cleaner
from awxfast.intake.intake import Intake
from awxfast.intake.names import ProcessNames
from awxfast.intake.processes import ProcessIdentity
from awxfast.redis.address import RedisAddress
from awxfast.redis.group_writer import GroupWriter
from awxfast.redis.login import open_connection
from awxfast.settings import Settings
from channels_redis.core import RedisChannelLayer
from failing_disk import fail_to_save
from redis_servers import RedisServer
from remembering_fanout import RememberingFanout, eventually

HERE = Path(__file__).parent
LONG = "job_events-" + "9" * 88
LayerMaker = Callable[..., RedisChannelLayer]
Spawn = Callable[..., subprocess.Popen[str]]


@contextlib.asynccontextmanager
async def started(url: str, fanout: RememberingFanout, settings: Settings | None = None) -> AsyncIterator[Intake]:
    intake = Intake(settings or Settings(), RedisAddress.parse(url), fanout)
    try:
        await intake.start()
        yield intake
    finally:
        await intake.stop()


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Python programs of this folder, in processes of their own."""
    processes: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(HERE / program), *arguments]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def all_traces(server: RedisServer, token: str) -> list[str]:
    """Keys and memberships of a process."""
    with server.client() as client:
        keys = client.keys("*")
        found = [key.decode() for key in keys if token.encode() in key]
        for key in keys:
            if b":group:" in key:
                found += [name.decode() for name in client.zrange(key, 0, -1) if token.encode() in name]
    return found


class TestEvents:
    async def test_case_c07_event_sent_right_after_the_hold_arrives(
        self, redis_server: RedisServer, fanout: RememberingFanout, spawn: Spawn
    ) -> None:
        producer = spawn("stock_producer.py", redis_server.url)
        assert read_line(producer) == "ready"
        assert producer.stdin is not None
        async with started(redis_server.url, fanout) as intake:
            for number in range(200):
                group = f"job_events-{number}"
                await intake.hold([group])
                producer.stdin.write(group + "\n")
                producer.stdin.flush()
                await eventually(lambda: fanout.batches and fanout.texts()[-1] == group)  # noqa: B023
                intake.release([group])
        assert fanout.texts() == [f"job_events-{number}" for number in range(200)]

    async def test_every_event_names_a_channel_of_the_table(
        self, redis_server: RedisServer, fanout: RememberingFanout, stock_layer: LayerMaker
    ) -> None:
        layer = stock_layer(redis_server)
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["a", LONG])
            table = dict(fanout.channels)
            for group in ("a", LONG, "a", "not-ours"):
                await layer.group_send(group, {"type": "internal.message", "text": group})
            await eventually(lambda: intake.drain.events == 3)
        for message in fanout.messages():
            (channel,) = message["__asgi_channel__"]
            assert table[channel.partition("!")[2]] == message["text"]

    async def test_channel_is_known_until_late_events_have_come(
        self, redis_server: RedisServer, fanout: RememberingFanout, stock_layer: LayerMaker
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["a"])
            intake.release(["a"])
            with redis_server.client() as client:
                await eventually(lambda: not client.exists("asgi:group:a"))
            assert fanout.channels == {"g.a": "a"}
            await eventually(lambda: not fanout.channels)


class TestRealFanout:
    async def test_event_of_a_stock_producer_reaches_the_socket(
        self, redis_server: RedisServer, stock_layer: LayerMaker
    ) -> None:
        fanout = Fanout()
        ours, browsers = socket.socketpair()
        ours.setblocking(False)
        browsers.setblocking(False)
        intake = Intake(Settings(), RedisAddress.parse(redis_server.url), fanout)
        await intake.start()
        client = fanout.attach(ours.fileno())
        await intake.hold(["jobs-summary", LONG])
        fanout.subscribe(client, ["jobs-summary", LONG], [])
        for group in ("jobs-summary", LONG):
            await stock_layer(redis_server).group_send(group, {"type": "internal.message", "text": group[:4]})
        received = b""
        while len(received) < 12:
            received += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(browsers, 100), 20)
        assert received == b"\x81\x04jobs\x81\x04job_"
        await intake.stop()
        ledger = fanout.ledger()
        assert ledger["events"]["routed"] == 2
        assert ledger["balance"] == {"events": 0, "frames": 0}
        fanout.detach(client)
        fanout.stop()
        ours.close()
        browsers.close()


class TestStart:
    async def test_is_ready_when_redis_is_there(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        async with started(redis_server.url, fanout) as intake:
            assert intake.ready
            assert intake.depth == 0
            redis_server.kill()
            await eventually(lambda: not intake.ready)
        assert not intake.ready

    async def test_does_not_fail_because_redis_is_away(
        self, redis_server: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        redis_server.kill()
        redis_server.socket.unlink(missing_ok=True)
        async with started(redis_server.url, fanout) as intake:
            assert not intake.ready
            holding = asyncio.ensure_future(intake.hold(["a"]))
            await eventually(lambda: intake.drain.reconnects > 1)
            redis_server.start()
            await holding
            await eventually(lambda: intake.ready)
        assert [message.partition(" is ")[2][:4] for message in caplog.messages] == ["away", "back"]
        assert "no such socket" in caplog.messages[0]
        assert not fanout.gaps

    async def test_fails_for_a_redis_that_can_never_work(
        self, start_redis: Callable[..., RedisServer], fanout: RememberingFanout
    ) -> None:
        server = start_redis("--requirepass", "right")
        with pytest.raises(ConfigurationError, match="WRONGPASS"):
            async with started(f"unix://:wrong@{server.socket}", fanout):
                pass

    async def test_fault_of_our_own_is_told_and_ends_it(
        self,
        redis_server: RedisServer,
        fanout: RememberingFanout,
        stock_layer: LayerMaker,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(fanout, "publish_batch", lambda _: {}["bug"])
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["a"])
            await stock_layer(redis_server).group_send("a", {"type": "internal.message", "text": "x"})
            await asyncio.wait_for(intake.failed.wait(), 20)
            assert not intake.ready
        assert "the intake's drain ended: KeyError('bug')" in caplog.text


def run_out_of_memory(client: redis.Redis) -> None:
    client.config_set("maxmemory", 1)


def get_memory(client: redis.Redis) -> None:
    client.config_set("maxmemory", 0)


def become_replica(client: redis.Redis) -> None:
    client.replicaof("127.0.0.1", 1)


def become_master(client: redis.Redis) -> None:
    client.replicaof("no", "one")


def stop_minding(client: redis.Redis) -> None:
    client.config_set("stop-writes-on-bgsave-error", "no")


def forbid_joins(client: redis.Redis) -> None:
    client.execute_command("ACL", "SETUSER", "default", "-zadd")


def allow_joins(client: redis.Redis) -> None:
    client.execute_command("ACL", "SETUSER", "default", "+zadd")


REFUSALS = {
    "OOM": (run_out_of_memory, get_memory),
    "READONLY": (become_replica, become_master),
    "MISCONF": (fail_to_save, stop_minding),
    "NOPERM": (forbid_joins, allow_joins),
}


@pytest.mark.parametrize("word", REFUSALS)
class TestRedisThatRefusesWrites:
    """ansible/awx#9401: the process lives, and says in Redis' own word what is wrong before anybody subscribes."""

    async def test_is_not_ready_until_it_takes_them_again_and_says_so_once(
        self, redis_server: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture, word: str
    ) -> None:
        refuse, heal = REFUSALS[word]
        async with started(redis_server.url, fanout) as intake:
            with redis_server.client() as client:
                refuse(client)
                await eventually(lambda: not intake.ready)
                assert intake.trouble.startswith(f"refuses: {word} ")
                await asyncio.sleep(1.5)
                assert not intake.ready
                assert not intake.failed.is_set()
                heal(client)
                await eventually(lambda: intake.ready)
                assert intake.trouble == ""
                await intake.hold(["a"])
        first, last = caplog.messages
        assert first.startswith(f"Redis at {redis_server.url} refuses: {word} ")
        assert first.endswith("; clients stay, trying again")
        assert " is back after " in last

    async def test_that_does_so_from_the_start_is_said(
        self,
        redis_server: RedisServer,
        fanout: RememberingFanout,
        monkeypatch: pytest.MonkeyPatch,
        word: str,
    ) -> None:
        monkeypatch.setattr("awxfast.intake.intake.START_TIMEOUT", 0.5)
        refuse, heal = REFUSALS[word]
        with redis_server.client() as client:
            refuse(client)
            async with started(redis_server.url, fanout) as intake:
                await eventually(lambda: intake.trouble.startswith(f"refuses: {word} "))
                heal(client)
                await eventually(lambda: intake.ready)

    async def test_refuses_who_subscribes_and_serves_who_comes_later(
        self,
        redis_server: RedisServer,
        fanout: RememberingFanout,
        monkeypatch: pytest.MonkeyPatch,
        word: str,
    ) -> None:
        monkeypatch.setattr("awxfast.intake.members.REFUSAL_PATIENCE", 0.5)
        refuse, heal = REFUSALS[word]
        async with started(redis_server.url, fanout) as intake:
            with redis_server.client() as client:
                refuse(client)
                for _ in range(2):
                    with pytest.raises(RedisReplyError, match=word):
                        await asyncio.wait_for(intake.subscriptions.hold(["a"]), 10)
                heal(client)
                await eventually(lambda: intake.ready)
                await asyncio.wait_for(intake.subscriptions.hold(["a"]), 10)
                assert client.zscore("asgi:group:a", intake.names.channel("g.a"))


class TestMasterThatMoves:
    async def test_is_looked_up_anew_by_its_name(
        self, start_redis: Callable[..., RedisServer], fanout: RememberingFanout, tmp_path: Path
    ) -> None:
        former, new = start_redis(), start_redis()
        name = tmp_path / "master"
        name.symlink_to(former.socket)
        async with started(f"unix://{name}", fanout) as intake:
            await intake.hold(["a"])
            name.unlink()
            name.symlink_to(new.socket)
            become_replica(former.client())
            with new.client() as client:
                await eventually(lambda: client.zscore("asgi:group:a", intake.names.channel("g.a")))
            await eventually(lambda: intake.ready)


class TestGroupWhoseKeyCanNotHoldIt:
    async def test_is_refused_and_delays_no_other_and_taken_when_it_can(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("awxfast.intake.members.REFUSAL_PATIENCE", 0.5)
        async with started(redis_server.url, fanout) as intake:
            with redis_server.client() as client:
                client.set("asgi:group:odd", "not a zset")
                with pytest.raises(RedisReplyError, match="WRONGTYPE"):
                    await asyncio.wait_for(intake.subscriptions.hold(["odd", "a"]), 10)
                await asyncio.wait_for(intake.subscriptions.hold(["a"]), 10)
                assert intake.ready
                assert client.get("asgi:group:odd") == b"not a zset", "others use it"
                client.delete("asgi:group:odd")
                await asyncio.wait_for(intake.subscriptions.hold(["odd"]), 10)

    async def test_is_registered_again_when_the_key_can_hold_it_again(
        self, redis_server: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["a"])
            with redis_server.client() as client:
                client.set("asgi:group:a", "not a zset")
                await eventually(lambda: "refuses to register group a: WRONGTYPE" in caplog.text)
                client.delete("asgi:group:a")
                await eventually(lambda: client.zscore("asgi:group:a", intake.names.channel("g.a")))
                assert intake.ready


class TestStop:
    async def test_leaves_nothing_and_loses_nothing_that_was_sent_before(
        self,
        redis_server: RedisServer,
        fanout: RememberingFanout,
        stock_layer: LayerMaker,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        busy = 2
        monkeypatch.setattr(fanout, "wait_time", lambda: 0.001 * busy)
        layer = stock_layer(redis_server)
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["a"])
            for number in range(300):
                await layer.group_send("a", {"type": "internal.message", "text": str(number)})
            busy = 0
        assert fanout.texts() == [str(number) for number in range(300)]
        with redis_server.client() as client:
            assert client.keys("*") == []
        assert not fanout.gaps

    async def test_is_quick_without_redis_and_may_be_repeated(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            redis_server.kill()
            await eventually(lambda: not intake.ready)
            await asyncio.wait_for(intake.stop(), 1)
        intake.release([])

    async def test_of_one_that_never_started(self, fanout: RememberingFanout) -> None:
        await Intake(Settings(), RedisAddress.parse("unix:///nowhere"), fanout).stop()


class TestKilledProcess:
    @pytest.mark.parametrize("prefix", ["asgi", "site-b"])
    async def test_names_of_a_killed_process_are_removed_at_once_by_the_next(
        self, redis_server: RedisServer, fanout: RememberingFanout, spawn: Spawn, prefix: str
    ) -> None:
        victim = spawn("lonely_process.py", redis_server.url, prefix, "jobs-summary", LONG)
        token = read_line(victim)
        assert len(all_traces(redis_server, token)) >= 6
        kill(victim)
        async with started(redis_server.url, fanout):
            await eventually(lambda: not all_traces(redis_server, token))

    async def test_names_of_a_living_process_are_kept(
        self, redis_server: RedisServer, fanout: RememberingFanout, spawn: Spawn
    ) -> None:
        token = read_line(spawn("lonely_process.py", redis_server.url, "asgi", "jobs-summary"))
        before = sorted(all_traces(redis_server, token))
        async with started(redis_server.url, fanout) as intake:
            with contextlib.closing(await open_connection(redis_server.address)) as connection:
                await intake.registration._cleaner.clean_with_lock(connection)
            assert sorted(all_traces(redis_server, token)) == before

    async def test_process_that_was_taken_for_dead_repairs_itself(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["a"])
            with redis_server.client() as client:
                client.delete(intake.names.process_key)
            cleaner = Cleaner(ProcessNames("asgi"), ProcessIdentity.own(), GroupWriter(Settings()))
            with contextlib.closing(await open_connection(redis_server.address)) as connection:
                await cleaner.clean(connection, also_expired=True)
            await eventually(lambda: intake.registration.repaired >= 2)
            with redis_server.client() as client:
                assert client.exists(intake.names.process_key)
                assert client.zscore("asgi:group:a", intake.names.channel("g.a"))


class TestNames:
    async def test_are_of_the_settings_prefix(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        async with started(redis_server.url, fanout, Settings(prefix="site-b", group_expiry=77)) as intake:
            await intake.hold(["a"])
            with redis_server.client() as client:
                assert client.keys("asgi*") == []
                assert 0 < client.ttl("site-b:group:a") <= 77


class TestRest:
    """For a process that is about to go on under the same names."""

    async def test_one_that_stops_in_it_takes_what_waits(
        self, redis_server: RedisServer, fanout: RememberingFanout, stock_layer: LayerMaker
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["a"])
            await intake.rest(1, seconds=60)
            await stock_layer(redis_server).group_send("a", {"type": "internal.message", "text": "x"})
        assert fanout.texts() == ["x"]

    async def test_those_who_subscribe_without_an_end_do_not_keep_it_from_rest(self, redis_server: RedisServer) -> None:
        joined = 0

        async def subscribe(intake: Intake, subscriber: int) -> None:
            nonlocal joined
            for number in range(1_000_000):
                await intake.hold([f"g-{subscriber}-{number}"])
                joined += 1

        async with started(redis_server.url, RememberingFanout()) as intake:
            subscribing = [asyncio.create_task(subscribe(intake, number)) for number in range(64)]
            await eventually(lambda: joined > 1_000)
            await intake.rest(1, seconds=60)
            at_rest = joined
            await asyncio.sleep(0.1)
            assert joined == at_rest, "nothing is under way"
            await intake.end_rest()
            await eventually(lambda: joined > at_rest + 1_000)
            for task in subscribing:
                task.cancel()
            await asyncio.gather(*subscribing, return_exceptions=True)
