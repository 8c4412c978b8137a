"""What other nodes hear of this process's groups, through the backplane's group and at once when they link."""

from collections.abc import AsyncIterator, Sequence

import msgpack
import pytest
from awxfast.errors import RedisUnavailable
from awxfast.intake.announcements import Announcements, speaker_of
from awxfast.intake.groups import Groups
from awxfast.intake.names import ProcessNames
from awxfast.intake.processes import ProcessIdentity, announce_commands
from awxfast.redis.connection import RedisConnection
from awxfast.redis.login import open_connection
from awxfast.redis.whole_group_writer import make_group_writer
from awxfast.settings import LayerSettings
from awxfast.wire.backplane import Notice
from awxfast.wire.entry_bodies import make_entry_format
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer
from remembering_fanout import RememberingFanout, eventually

BACKPLANE = "broadcast-group_send"


class Process:
    """One process's registrations, with its announcements."""

    def __init__(self, prefix: str = "asgi", keys: Sequence[bytes] = ()) -> None:
        self.names = ProcessNames(prefix)
        layer = LayerSettings(prefix=prefix, group_expiry=86_400)
        writer = make_group_writer(layer, make_entry_format(layer, keys))
        self.announcements = Announcements(self.names, BACKPLANE, writer)
        self.groups = Groups(self.names, RememberingFanout(), 1000, self.announcements)

    async def attach(self, connection: RedisConnection, *, marks: bool = True) -> None:
        """As the registration does it."""
        await connection.commands(announce_commands(self.names, ProcessIdentity.own()))
        if marks:
            await connection.command(*self.announcements.mark())
        self.groups.attach(connection)
        await self.groups.register_all()

    async def interest(self) -> list[Notice]:
        return [notice async for notice in self.groups.interest.list_all()]

    def wants(self, *groups: str) -> Notice:
        return Notice(True, groups, speaker_of(self.names))


@pytest.fixture
async def connection(redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
    opened = await open_connection(redis_server.address)
    yield opened
    opened.close()


@pytest.fixture
async def process(connection: RedisConnection) -> Process:
    one = Process()
    await one.attach(connection)
    return one


@pytest.fixture
async def heard(redis_server: RedisServer) -> AsyncIterator[list[dict[str, object]]]:
    """What a stock member of the backplane's group has received so far, at each look."""
    layer = RedisChannelLayer(hosts=[redis_server.url], capacity=10_000)
    channel = await layer.new_channel()
    await layer.group_add(BACKPLANE, channel)
    key = "asgi" + channel[: channel.index("!") + 1]

    class Heard(list[dict[str, object]]):
        def __len__(self) -> int:
            with redis_server.client() as client:
                self[:] = [msgpack.unpackb(entry[12:]) for entry in client.zrange(key, 0, -1)]
            return super().__len__()

    yield Heard()
    await layer.close_pools()


class TestChanges:
    async def test_first_hold_and_last_release_are_announced(
        self, process: Process, heard: list[dict[str, object]]
    ) -> None:
        await process.groups.hold(["a", "b"])
        await process.groups.hold(["a"])
        await eventually(lambda: len(heard) == 1)
        (notice,) = heard
        assert list(notice)[:3] == ["type", "groups", "origin_channel"]
        assert notice["type"] == "consumer.subscribe"
        assert notice["groups"] == ["a", "b"]
        assert notice["origin_channel"] == f"specific.{process.names.token}!awxfast"
        process.groups.release(["a", "b"])
        await eventually(lambda: len(heard) == 2)
        assert (heard[1]["type"], heard[1]["groups"]) == ("consumer.unsubscribe", ["b"])

    async def test_backplane_and_sentinel_are_nobody_elses_business(
        self, process: Process, heard: list[dict[str, object]]
    ) -> None:
        await process.groups.hold([BACKPLANE])
        await process.groups.hold(["a"])
        await eventually(lambda: len(heard) > 0)
        assert [notice["groups"] for notice in heard] == [["a"]]

    async def test_end_of_the_process_is_announced(self, process: Process, heard: list[dict[str, object]]) -> None:
        await process.groups.hold(["a", "b"])
        await process.groups.leave_all()
        await eventually(lambda: len(heard) == 2)
        assert (heard[1]["type"], heard[1]["groups"]) == ("consumer.unsubscribe", ["a", "b"])

    async def test_all_is_announced_again_on_the_next_connection(
        self, process: Process, heard: list[dict[str, object]], redis_server: RedisServer
    ) -> None:
        await process.groups.hold(["a", "b"])
        process.groups.detach()
        process.groups.release(["b"])
        other = await open_connection(redis_server.address)
        await process.attach(other)
        await eventually(lambda: len(heard) >= 2)
        assert set(heard[1]["groups"]) == {"a", "b"}  # type: ignore[call-overload]
        await eventually(lambda: len(heard) == 3)
        assert (heard[2]["type"], heard[2]["groups"]) == ("consumer.unsubscribe", ["b"])
        other.close()

    async def test_many_groups_are_several_notices(self, process: Process, heard: list[dict[str, object]]) -> None:
        groups = [f"job_events-{number}" for number in range(10_001)]
        await process.groups.hold(groups)

        def told() -> list[str]:
            len(heard)  # looks
            return [group for notice in heard for group in notice["groups"]]  # type: ignore[attr-defined]

        await eventually(lambda: len(told()) == len(groups))
        assert told() == groups
        assert all(len(notice["groups"]) <= 10_000 for notice in heard)  # type: ignore[arg-type]
        assert len(heard) > 1


class TestEncryptedLayer:
    async def test_changes_are_announced_in_their_order_and_so_is_the_end(
        self, connection: RedisConnection, redis_server: RedisServer
    ) -> None:
        layer = RedisChannelLayer(hosts=[redis_server.url], symmetric_encryption_keys=["sesame"])
        channel = await layer.new_channel()
        await layer.group_add(BACKPLANE, channel)
        process = Process(keys=[b"sesame"])
        await process.attach(connection)
        for group in ("a", "b", "c"):
            await process.groups.hold([group])
        await process.groups.leave_all()
        notices = [await layer.receive(channel) for _ in range(4)]
        assert [notice["groups"] for notice in notices] == [["a"], ["b"], ["c"], ["a", "b", "c"]]
        assert notices[-1]["type"] == "consumer.unsubscribe"
        await layer.close_pools()


class TestInterest:
    async def test_own_groups_come_first_then_those_of_the_living(
        self, process: Process, connection: RedisConnection
    ) -> None:
        other = Process()
        await other.attach(connection)
        await process.groups.hold(["b", "a"])
        await other.groups.hold(["c", BACKPLANE])
        assert await process.interest() == [process.wants("a", "b"), other.wants("c")]
        assert await other.interest() == [other.wants("c"), process.wants("a", "b")]

    async def test_many_groups_are_told_in_parts_own_and_others(
        self, process: Process, connection: RedisConnection
    ) -> None:
        """A hundred thousand in one piece would be a quarter of a second of the loop's."""
        other = Process()
        await other.attach(connection)
        own, others = ({f"{kind}-{number}" for number in range(2_500)} for kind in ("own", "other"))
        await process.groups.hold(own)
        await other.groups.hold(others)
        for wanted, speaker in ((own, process), (others, other)):
            told = [notice for notice in await process.interest() if notice.origin_channel == speaker_of(speaker.names)]
            assert {group for notice in told for group in notice.groups} == wanted
            assert len(told) > 2
            assert max(len(notice.groups) for notice in told) < 2_000

    async def test_group_that_is_let_go_of_while_others_are_told_is_not_told(self, process: Process) -> None:
        """Nobody would say later that it is wanted no more."""
        await process.groups.hold([f"own-{number}" for number in range(1_500)])
        listing = process.groups.interest.list_all()
        first = await anext(listing)
        last = next(group for group in reversed(process.groups._members) if group not in first.groups)
        process.groups.release([last])
        second = await anext(listing)
        assert second.groups
        assert last not in second.groups
        await listing.aclose()

    async def test_released_group_is_not_wanted(self, process: Process) -> None:
        await process.groups.hold(["a", "b"])
        process.groups.release(["b"])
        assert await process.interest() == [process.wants("a")]

    async def test_dead_processes_and_those_that_only_relay_want_nothing(
        self, process: Process, connection: RedisConnection
    ) -> None:
        dead, dialler, elsewhere = Process(), Process(), Process("other")
        await dead.attach(connection)
        await dialler.attach(connection, marks=False)
        await elsewhere.attach(connection)
        for one in (dead, dialler, elsewhere):
            await one.groups.hold(["a"])
        await connection.command("DEL", dead.names.process_key)
        assert await process.interest() == [process.wants()]

    async def test_nothing_is_known_while_redis_is_away(self, process: Process) -> None:
        process.groups.detach()
        assert await process.interest() == []

    async def test_redis_that_goes_away_while_it_is_told_is_what_it_says(
        self, process: Process, connection: RedisConnection
    ) -> None:
        listing = process.groups.interest.list_all()
        await anext(listing)
        connection.close()
        process.groups.detach()
        with pytest.raises(RedisUnavailable):
            await anext(listing)
