"""Members from a real PostgreSQL, which tests stop and start."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from awxfast.broadcast import postgres
from awxfast.broadcast.era import Era
from awxfast.broadcast.postgres import Heartbeats, PostgresMembers, check_dsn
from awxfast.broadcast.target import Member
from awxfast.errors import ConfigurationError
from peer_server import until
from postgres_servers import PostgresServer, awx_database


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with awx_database() as database:
        yield database


class Running:
    """What the database says at present."""

    def __init__(self, dsn: str, era: Era | None) -> None:
        self.instances: list[Member] | None = None
        self.heartbeats: list[Member] = []
        self.members = PostgresMembers(dsn, 443, era, self.take_instances, self.take_heartbeats)
        self.task = asyncio.create_task(self.members.run())

    def take_instances(self, members: list[Member]) -> None:
        self.instances = members

    def take_heartbeats(self, members: list[Member]) -> None:
        self.heartbeats = members

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def start(database: PostgresServer) -> AsyncIterator[Callable[..., Running]]:
    database.execute("TRUNCATE main_instance")
    started: list[Running] = []

    def start(era: Era | None = None) -> Running:
        started.append(Running(database.tcp_dsn, era))
        return started[-1]

    yield start
    for running in started:
        await running.stop()
    await until(lambda: not database.connections("awxfast-broadcast"))


async def notify(database: PostgresServer, hostname: str, ip: str | None = None, **more: str) -> None:
    channel, action = more.get("channel", "web_ws_heartbeat"), more.get("action", "online")
    payload = json.dumps({"hostname": hostname, "ip": ip, "action": action})
    await asyncio.to_thread(database.execute, f"SELECT pg_notify('{channel}', '{payload}')")


class TestInstances:
    async def test_control_and_hybrid_nodes_are_members(
        self, database: PostgresServer, start: Callable[..., Running]
    ) -> None:
        database.execute(
            "INSERT INTO main_instance (hostname, ip_address, node_type) VALUES ('a', '10.0.0.1', 'control'),"
            " ('b', '', 'hybrid'), ('c', NULL, 'hybrid'), ('d', '10.0.0.4', 'execution'), ('e', NULL, 'hop')"
        )
        running = start(Era.BROADCAST)
        await until(lambda: running.instances)
        assert running.instances == [Member("a", "10.0.0.1", 443), Member("b", "b", 443), Member("c", "c", 443)]

    async def test_table_of_an_old_version_lacks_columns(self, database: PostgresServer) -> None:
        database.execute("CREATE SCHEMA old; CREATE TABLE old.main_instance (hostname text)")
        database.execute("INSERT INTO old.main_instance VALUES ('a')")
        running = Running(f"{database.tcp_dsn} options=-csearch_path=old", Era.BROADCAST)
        await until(lambda: running.instances)
        await running.stop()
        assert running.instances == [Member("a", "a", 443)]

    async def test_change_is_noticed(
        self, database: PostgresServer, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "POLL_INTERVAL", 0.05)
        running = start(Era.BROADCAST)
        await until(lambda: running.instances == [])
        database.execute("INSERT INTO main_instance (hostname, node_type) VALUES ('a', 'hybrid')")
        await until(lambda: running.instances == [Member("a", "a", 443)])

    async def test_heartbeats_take_their_place(
        self, database: PostgresServer, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "POLL_INTERVAL", 0.05)
        monkeypatch.setattr(postgres, "HANDOVER", 0.1)
        database.execute("INSERT INTO main_instance (hostname, node_type) VALUES ('task-1', 'control')")
        running = start()
        await until(lambda: running.instances)
        await until_heard(database, running, "web-1")
        await until(lambda: running.instances == [])


class TestHeartbeatsFromDatabase:
    @pytest.mark.parametrize("channel", ["web_ws_heartbeat", "web_heartbeet"])
    async def test_both_channels_are_heard(
        self, database: PostgresServer, start: Callable[..., Running], channel: str
    ) -> None:
        running = start(Era.RELAY)
        await until_heard(database, running, "web-1", channel=channel)
        await notify(database, "web-1", "10.0.0.2", channel=channel)
        await until(lambda: running.heartbeats == [Member("web-1", "10.0.0.2", 443)])
        await notify(database, "web-1", channel=channel, action="offline")
        await until(lambda: running.heartbeats == [])

    async def test_restarts_are_survived_without_a_leak(
        self,
        database: PostgresServer,
        start: Callable[..., Running],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(postgres, "LONGEST_PAUSE", 0.5)
        running = start()
        await until_heard(database, running, "web-1")
        connections, tasks = database.connections("awxfast-broadcast"), len(asyncio.all_tasks())
        for number in range(2, 4):
            await asyncio.to_thread(database.stop)
            await until(lambda: running.members.away)
            assert running.heartbeats
            await asyncio.to_thread(database.start)
            await until_heard(database, running, f"web-{number}")
        await until(lambda: database.connections("awxfast-broadcast") == connections)
        assert len(asyncio.all_tasks()) == tasks
        assert len(running.heartbeats) == 3
        words = [record.getMessage().split(":")[0] for record in caplog.records]
        assert words == ["PostgreSQL is away", "PostgreSQL is back"] * 2


async def until_heard(database: PostgresServer, running: Running, hostname: str, **more: str) -> None:
    """A heartbeat that nobody listens for is lost, so it is sent until it is heard."""
    async with asyncio.timeout(30):
        while hostname not in {member.name for member in running.heartbeats}:
            await notify(database, hostname, **more)
            await asyncio.sleep(0.05)


class TestHeartbeats:
    def test_silence_is_not_offline_and_nothing_new_is_no_change(self) -> None:
        taken: list[list[Member]] = []
        heartbeats = Heartbeats(443, taken.append)
        for _ in range(3):
            heartbeats.receive('{"hostname": "web-1", "ip": null, "action": "online"}')
        assert taken == [[Member("web-1", "web-1", 443)]]

    @pytest.mark.parametrize(
        "payload",
        [
            "",
            "x",
            "[]",
            "null",
            '{"hostname": "a"}',
            '{"action": "online"}',
            '{"hostname": 1, "action": "online"}',
            '{"hostname": "a", "action": "sleeping"}',
            '{"hostname": "a", "ip": 7, "action": "online"}',
        ],
    )
    def test_other_payloads_are_ignored(self, payload: str) -> None:
        taken: list[list[Member]] = []
        heartbeats = Heartbeats(443, taken.append)
        heartbeats.receive(payload)
        assert heartbeats.ignored == 1
        assert not taken

    def test_number_of_members_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(postgres, "MAX_MEMBERS", 3)
        taken: list[list[Member]] = []
        heartbeats = Heartbeats(443, taken.append)
        for number in range(5):
            heartbeats.receive(json.dumps({"hostname": f"web-{number}", "ip": None, "action": "online"}))
        assert len(taken[-1]) == 3
        assert heartbeats.ignored == 2

    def test_real_node_is_never_crowded_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that is in the table of instances."""
        monkeypatch.setattr(postgres, "MAX_MEMBERS", 1000)
        taken: list[list[Member]] = []
        heartbeats = Heartbeats(443, taken.append, lambda: 7.0)
        heartbeats.receive(online("web-1"))
        heartbeats.known = frozenset({"web-1", "web-2"})
        for number in range(3000):
            heartbeats.receive(online(f"invented-{number}"))
        heartbeats.receive(online("web-2"))
        names = {member.name for member in taken[-1]}
        assert len(names) == 1000
        assert names > {"web-1", "web-2"}

    def test_place_of_one_that_is_silent_goes_to_a_new_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From AWX 22 on a real node need not be in the table."""
        monkeypatch.setattr(postgres, "MAX_MEMBERS", 2)
        times = [0.0]
        taken: list[list[Member]] = []
        heartbeats = Heartbeats(443, taken.append, lambda: times[0])
        heartbeats.receive(online("invented"))
        heartbeats.receive(online("web-1"))
        times[0] = 59.0
        heartbeats.receive(online("web-1"))
        heartbeats.receive(online("web-2"))
        assert [member.name for member in taken[-1]] == ["invented", "web-1"]
        times[0] = 61.0
        heartbeats.receive(online("web-2"))
        assert [member.name for member in taken[-1]] == ["web-1", "web-2"]

    @pytest.mark.parametrize("name", ["", "a" * 256])
    def test_name_that_nobody_has_is_ignored(self, name: str) -> None:
        heartbeats = Heartbeats(443, pytest.fail)
        heartbeats.receive(online(name))
        assert heartbeats.ignored == 1


def online(name: str) -> str:
    return json.dumps({"hostname": name, "ip": None, "action": "online"})


class TestInheritance:
    def test_who_is_online_and_was_silent_for_longest_stays_so(self) -> None:
        times, taken = [1.0], []
        old = Heartbeats(443, lambda _: None, lambda: times[0])
        for times[0], name in enumerate(("web-1", "web-2", "web-1"), 1):
            old.receive(json.dumps({"hostname": name, "action": "online"}))
        new = Heartbeats(443, taken.append, lambda: times[0])
        new.inherit(json.loads(json.dumps(old.freeze())))
        assert [[member.name for member in members] for members in taken] == [["web-2", "web-1"]]
        assert new.heard_for == old.heard_for
        new.receive(json.dumps({"hostname": "web-2", "action": "offline"}))
        assert [member.name for member in taken[-1]] == ["web-1"]


class TestFlood:
    async def test_many_heartbeats_are_told_together_and_the_table_tells_the_real_ones(
        self, database: PostgresServer, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "POLL_INTERVAL", 0.05)
        monkeypatch.setattr(postgres, "MAX_MEMBERS", 100)
        database.execute("INSERT INTO main_instance (hostname, node_type) VALUES ('web-1', 'hybrid')")
        running = start(Era.RELAY)
        told: list[int] = []
        take = running.take_heartbeats
        running.members._take_heartbeats = lambda members: (told.append(len(members)), take(members))
        await until_heard(database, running, "invented")
        flood = "SELECT pg_notify('web_ws_heartbeat', json_build_object('hostname', 'i-' || n, 'ip', NULL, 'action', "
        database.execute(flood + "'online')::text) FROM generate_series(1, 3000) AS n")
        await until(lambda: running.members._heartbeats.is_crowded)
        await until_heard(database, running, "web-1")
        assert len(running.heartbeats) == 100
        assert len(told) < 100
        assert not running.instances


class TestDsn:
    def test_string_that_is_not_libpqs_is_refused_without_repeating_it(self) -> None:
        pytest.importorskip("psycopg")
        with pytest.raises(ConfigurationError) as refusal:
            check_dsn("hush hush")
        assert "hush" not in str(refusal.value)
