"""Direct events go to sockets, all else to consumers; sessions take their channels with them."""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterable
from typing import Any

import msgpack
import pytest
from awxfast._rust import Fanout
from awxfast.hosted import channel_table as table_module
from awxfast.hosted.channel import BEHIND
from awxfast.hosted.channel_table import ChannelTable
from awxfast.hosted.current_session import current_session
from awxfast.intake.groups import TURN_GROUPS
from awxfast.intake.subscriptions import Subscriptions
from awxfast.turns import Turns
from channels_redis.core import RedisChannelLayer
from hosted_layers import Hosted, PlayedSession
from redis_servers import HANG, RedisServer
from remembering_fanout import eventually

Play = Callable[[Hosted], PlayedSession]


def event(text: str) -> dict[str, Any]:
    return {"type": "internal.message", "text": text}


async def open_channel(hosted: Hosted, session: PlayedSession) -> str:
    session.enter()
    channel: str = await hosted.layer.new_channel()
    return channel


async def accept_consumer(hosted: Hosted, play_session: Play) -> tuple[PlayedSession, str]:
    """A consumer whose websocket is open, and its channel."""
    session = play_session(hosted)
    channel = await open_channel(hosted, session)
    session.accept()
    return session, channel


async def receive(hosted: Hosted, channel: str) -> dict[str, Any]:
    async with asyncio.timeout(HANG):
        message: dict[str, Any] = await hosted.layer.receive(channel)
        return message


async def assert_silent(hosted: Hosted, channel: str) -> None:
    await hosted.layer.send(channel, {"type": "end"})
    assert await receive(hosted, channel) == {"type": "end"}


class TestDirectEvent:
    async def test_it_goes_to_the_socket_past_the_consumer(
        self, direct: Hosted, stock: RedisChannelLayer, play_session: Play
    ) -> None:
        session, channel = await accept_consumer(direct, play_session)
        await direct.layer.group_add("job_events-1", channel)
        await stock.group_send("job_events-1", event("from stock"))
        await direct.layer.group_send("job_events-1", event("from us"))
        assert await session.receive_text() == "from stock"
        assert await session.receive_text() == "from us"
        await assert_silent(direct, channel)

    async def test_other_types_reach_the_consumer(self, direct: Hosted, play_session: Play) -> None:
        session, channel = await accept_consumer(direct, play_session)
        await direct.layer.group_add("room", channel)
        await direct.layer.group_send("room", {"type": "chat.message", "text": "for the handler"})
        assert await receive(direct, channel) == {"type": "chat.message", "text": "for the handler"}
        await direct.layer.group_send("room", event("direct"))
        assert await session.receive_text() == "direct"

    async def test_without_a_text_it_is_the_consumers(self, direct: Hosted, play_session: Play) -> None:
        _, channel = await accept_consumer(direct, play_session)
        await direct.layer.group_add("room", channel)
        await direct.layer.group_send("room", {"type": "internal.message", "bytes": b"x"})
        assert await receive(direct, channel) == {"type": "internal.message", "bytes": b"x"}

    async def test_sent_to_the_channel_itself_it_is_the_consumers(self, direct: Hosted, play_session: Play) -> None:
        _, channel = await accept_consumer(direct, play_session)
        await direct.layer.send(channel, event("to the handler"))
        assert await receive(direct, channel) == event("to the handler")

    async def test_member_without_a_socket_receives_it_beside_one_with(
        self, direct: Hosted, play_session: Play
    ) -> None:
        background = await direct.layer.new_channel()
        session, channel = await accept_consumer(direct, play_session)
        for name in (background, channel):
            await direct.layer.group_add("room", name)
        await direct.layer.group_send("room", event("both"))
        assert await session.receive_text() == "both"
        assert await receive(direct, background) == event("both")
        await assert_silent(direct, channel)
        assert direct.fanout.ledger()["events"]["routed"] == 2, "the event and the end, once each"

    async def test_second_channel_of_a_scope_has_its_handler(self, direct: Hosted, play_session: Play) -> None:
        """Stock calls both handlers, so the browser gets it twice; here one of them is the socket."""
        session = play_session(direct)
        first, second = await open_channel(direct, session), await open_channel(direct, session)
        session.accept()
        for name in (first, second):
            await direct.layer.group_add("room", name)
        await direct.layer.group_send("room", event("both"))
        assert await session.receive_text() == "both"
        assert await receive(direct, second) == event("both")
        await assert_silent(direct, first)

    async def test_no_type_is_direct_when_none_is_named(self, hosted: Hosted, play_session: Play) -> None:
        _, channel = await accept_consumer(hosted, play_session)
        await hosted.layer.group_add("room", channel)
        await hosted.layer.group_send("room", event("to the handler"))
        assert await receive(hosted, channel) == event("to the handler")


class TestOrder:
    async def test_nothing_of_a_group_follows_what_is_sent_after_the_discard(
        self, direct: Hosted, stock: RedisChannelLayer, play_session: Play
    ) -> None:
        session, channel = await accept_consumer(direct, play_session)
        client = session.client
        assert client is not None
        stop = asyncio.Event()

        async def produce() -> None:
            while not stop.is_set():
                await stock.group_send("job_events-1", event("event"))

        producer = asyncio.create_task(produce())
        for _ in range(50):
            direct.fanout.send_text(client, b"joining")
            await direct.layer.group_add("job_events-1", channel)
            await asyncio.sleep(0.005)
            await direct.layer.group_discard("job_events-1", channel)
            direct.fanout.send_text(client, b"left")
            await asyncio.sleep(0.005)
        stop.set()
        await producer
        direct.fanout.send_text(client, b"end")
        seen = []
        while (text := await session.receive_text()) != "end":
            seen.append(text)
        assert "event" in seen
        assert all(after == "joining" for before, after in itertools.pairwise(seen) if before == "left")


class TestSocketThatIsNotOpenYet:
    async def test_events_wait_for_the_accept(self, direct: Hosted, play_session: Play) -> None:
        session = play_session(direct)
        channel = await open_channel(direct, session)
        await direct.layer.group_add("room", channel)
        for number in range(3):
            await direct.layer.group_send("room", event(f"held {number}"))
        await direct.layer.group_send("room", {"type": "chat.message"})
        assert await receive(direct, channel) == {"type": "chat.message"}
        session.accept()
        await direct.layer.group_send("room", event("live"))
        assert [await session.receive_text() for _ in range(4)] == ["held 0", "held 1", "held 2", "live"]
        await assert_silent(direct, channel)

    async def test_held_events_are_bounded(
        self, direct: Hosted, play_session: Play, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("awxfast.hosted.channel.HELD_TEXTS", 2)
        session = play_session(direct)
        channel = await open_channel(direct, session)
        await direct.layer.group_add("room", channel)
        for number in range(5):
            await direct.layer.group_send("room", event(f"held {number}"))
        await assert_silent(direct, channel)
        session.accept()
        assert [await session.receive_text() for _ in range(2)] == ["held 3", "held 4"]

    async def test_refused_handshake_leaves_nothing(self, direct: Hosted, play_session: Play) -> None:
        session = play_session(direct)
        channel = await open_channel(direct, session)
        await direct.layer.group_add("room", channel)
        await direct.layer.group_send("room", event("held"))
        session.end()
        assert direct.fanout.ledger()["groups"] == 0
        assert direct.intake.groups.held == 0


class TestOverload:
    async def test_intake_holds_back_while_the_consumer_has_a_backlog(self, hosted: Hosted) -> None:
        channel = await hosted.layer.new_channel()
        await hosted.layer.group_add("room", channel)
        for number in range(BEHIND + 2):
            await hosted.layer.group_send("room", {"type": "number", "number": number})
        assert (await receive(hosted, channel))["number"] == 0
        await eventually(hosted.table.wait_time)
        assert (await receive(hosted, channel))["number"] == 1
        await eventually(lambda: not hosted.table.wait_time())
        assert [(await receive(hosted, channel))["number"] for _ in range(BEHIND)] == list(range(2, BEHIND + 2))

    async def test_one_that_never_takes_anything_holds_up_nobody(self, hosted: Hosted) -> None:
        stuck, other = await hosted.layer.new_channel(), await hosted.layer.new_channel()
        await hosted.layer.group_add("room", stuck)
        await hosted.layer.group_add("other", other)
        for _ in range(BEHIND + 1):
            await hosted.layer.group_send("room", {"type": "a"})
        await hosted.layer.group_send("other", {"type": "b"})
        assert await receive(hosted, other) == {"type": "b"}
        assert not hosted.table.wait_time()


class TestUndecodable:
    async def test_it_is_counted_and_logged_once_in_a_while_without_its_text(
        self, hosted: Hosted, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        channel = await hosted.layer.new_channel()
        broken = msgpack.packb({"__asgi_channel__": channel, "secret": {17: 0}})  # its reader wants keys of text
        key = f"asgi{channel.partition('!')[0]}!"
        redis_server.client().zadd(key, {b"%012d" % number + broken: number for number in range(50)})
        await eventually(lambda: hosted.fanout.ledger()["gaps"] == {"undecodable": {"times": 50, "at_most": 50}})
        assert caplog.messages == ["a message could not be decoded and is dropped: ValueError"]
        await assert_silent(hosted, channel)


class TestEnd:
    async def test_session_takes_its_memberships_with_it(
        self, direct: Hosted, redis_server: RedisServer, play_session: Play
    ) -> None:
        """Stock leaves them in Redis when a consumer ends by an exception."""
        session, channel = await accept_consumer(direct, play_session)
        for group in ("a", "b"):
            await direct.layer.group_add(group, channel)
        session.end()
        assert (direct.fanout.ledger()["groups"], direct.fanout.ledger()["clients"]) == (0, 0)
        await eventually(lambda: not redis_server.client().exists("asgi:group:a", "asgi:group:b"))

    async def test_events_are_dropped_once_the_application_has_closed(self, direct: Hosted, play_session: Play) -> None:
        session, channel = await accept_consumer(direct, play_session)
        assert session.client is not None
        await direct.layer.group_add("room", channel)
        direct.fanout.close(session.client, 1000)
        await direct.layer.group_send("room", event("late"))
        await direct.layer.group_send("room", {"type": "chat.message"})
        assert await receive(direct, channel) == {"type": "chat.message"}, "the consumer has not ended yet"
        assert await asyncio.to_thread(session.far.recv, 100) == b"\x88\x02\x03\xe8"
        assert direct.fanout.ledger()["events"]["no_subscriber"] == 1
        await direct.layer.group_discard("room", channel)

    async def test_join_that_outlives_its_session_undoes_itself(
        self, direct: Hosted, redis_server: RedisServer, play_session: Play
    ) -> None:
        session = play_session(direct)
        channel = await open_channel(direct, session)
        redis_server.kill()
        joining = asyncio.create_task(direct.layer.group_add("room", channel))
        await asyncio.sleep(0.05)
        session.end()
        redis_server.start()
        async with asyncio.timeout(HANG):
            await joining
        assert direct.intake.groups.held == 0
        assert direct.fanout.ledger()["groups"] == 0

    async def test_channel_that_is_made_after_the_end_of_its_session_is_one_without(
        self, direct: Hosted, play_session: Play, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By a task that outlives its websocket."""
        monkeypatch.setattr(table_module, "MOST_LOOSE", 3)
        session, _ = await accept_consumer(direct, play_session)
        session.end()
        channels = [await direct.layer.new_channel() for _ in range(5)]
        assert len(direct.table) == 3
        await direct.layer.group_add("room", channels[-1])
        await direct.layer.group_send("room", event("for the task"))
        assert await receive(direct, channels[-1]) == event("for the task")

    async def test_channels_without_a_session_are_bounded(
        self, hosted: Hosted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(table_module, "MOST_LOOSE", 3)
        channels = [await hosted.layer.new_channel() for _ in range(4)]
        for channel in channels[1:]:
            await hosted.layer.group_add("room", channel)
        await hosted.layer.new_channel()
        await hosted.layer.group_send("room", {"type": "a"})
        assert [await receive(hosted, channel) for channel in channels[2:]] == [{"type": "a"}] * 2
        assert len(hosted.table) == 3


class AnsweringHolder(Subscriptions):
    """Has to wait for Redis, and has its answer for all when the test says so."""

    def __init__(self) -> None:
        self.turns = Turns(TURN_GROUPS)
        self.answered = asyncio.Event()
        self.released: list[str] = []

    async def hold(self, groups: Iterable[str]) -> None:
        await self.answered.wait()

    def release(self, groups: Iterable[str]) -> None:
        self.released += groups


class TestManyJoinsThatWaitForRedis:
    def make(self, joins: int) -> tuple[AnsweringHolder, list[asyncio.Task[None]]]:
        holder = AnsweringHolder()
        table = ChannelTable(Fanout(consumers=True), capacity=10, direct=False)
        table.connect(holder)
        return holder, [asyncio.create_task(table.join("room", f"c.{number}")) for number in range(joins)]

    async def test_consumers_go_on_in_many_turns(self) -> None:
        holder, joining = self.make(500)
        await asyncio.sleep(0)
        holder.answered.set()
        most = before = 0
        while before < len(joining):
            await asyncio.sleep(0)
            joined = sum(join.done() for join in joining)
            most, before = max(most, joined - before), joined
        assert most <= 2 * table_module.TURN_JOINS

    async def test_who_waits_for_the_turns_of_groups_does_not_wait_for_theirs(self) -> None:
        """A join has so many seconds for Redis, in which it waits for those turns, too."""
        holder, joining = self.make(500)
        await asyncio.sleep(0)
        holder.answered.set()
        while not any(join.done() for join in joining):  # noqa: ASYNC110 (each turn of the loop counts)
            await asyncio.sleep(0)
        assert holder.turns.take_at_once(TURN_GROUPS)
        assert not all(join.done() for join in joining)
        await asyncio.wait(joining, timeout=HANG)

    async def test_one_that_is_given_up_before_its_turn_holds_nothing(self) -> None:
        holder, joining = self.make(100)
        await asyncio.sleep(0)
        holder.answered.set()
        while not joining[0].done():  # noqa: ASYNC110 (each turn of the loop counts)
            await asyncio.sleep(0)
        joining[-1].cancel()
        await asyncio.wait(joining, timeout=HANG)
        assert joining[-1].cancelled()
        assert holder.released == ["room"]


class TestTooManyGroups:
    """What a browser's consumer joins is what the browser asked for."""

    async def test_group_past_the_most_is_not_joined_and_the_session_is_told(
        self, start_hosted: Callable[..., Any], play_session: Play
    ) -> None:
        hosted: Hosted = await start_hosted(direct=("internal.message",), max_groups=3)
        session, channel = await accept_consumer(hosted, play_session)
        for group in ("a", "b", "c", "a"):
            await hosted.layer.group_add(group, channel)
        assert session.overstepped == 0
        await hosted.layer.group_add("d", channel)
        assert session.overstepped == 1
        assert hosted.intake.groups.held == 3

    async def test_joins_at_the_same_time_are_no_way_round_it(
        self, start_hosted: Callable[..., Any], play_session: Play
    ) -> None:
        hosted: Hosted = await start_hosted(max_groups=3)
        session, channel = await accept_consumer(hosted, play_session)
        await asyncio.gather(*(hosted.layer.group_add(f"g{number}", channel) for number in range(20)))
        assert session.overstepped > 0
        await eventually(lambda: hosted.intake.groups.held == 3)

    async def test_group_that_was_left_makes_room(self, start_hosted: Callable[..., Any], play_session: Play) -> None:
        hosted: Hosted = await start_hosted(max_groups=1)
        session, channel = await accept_consumer(hosted, play_session)
        for group in ("a", "b", "c"):
            await hosted.layer.group_add(group, channel)
            await hosted.layer.group_discard(group, channel)
        assert session.overstepped == 0

    async def test_channel_that_no_browser_asked_for_joins_what_it_wants(
        self, start_hosted: Callable[..., Any]
    ) -> None:
        hosted: Hosted = await start_hosted(max_groups=1)
        current_session.set(None)
        channel = await hosted.layer.new_channel()
        for group in ("a", "b", "c"):
            await hosted.layer.group_add(group, channel)
        assert hosted.intake.groups.held == 3


class TestMembership:
    async def test_consumers_sockets_and_intake_are_in_the_same_groups(
        self, direct: Hosted, play_session: Play
    ) -> None:
        """The table of channels, the fan-out and the intake each keep them for their own question."""
        rng = random.Random(5)
        members: dict[str, set[str]] = {}
        clients = {}
        for _ in range(3):
            session, channel = await accept_consumer(direct, play_session)
            members[channel], clients[channel] = set(), session.client
        for _ in range(60):
            channel, group = rng.choice(list(members)), f"job_events-{rng.randrange(5)}"
            if group in members[channel]:
                await direct.layer.group_discard(group, channel)
                members[channel].discard(group)
            else:
                await direct.layer.group_add(group, channel)
                members[channel].add(group)
            for name, client in clients.items():
                assert direct.fanout.groups_of(client) == sorted(members[name])
            assert direct.intake.groups.held == len(set().union(*members.values()))
