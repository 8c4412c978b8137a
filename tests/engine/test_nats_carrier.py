"""A carrier over real servers of NATS, which are killed, frozen, and change their minds."""

import asyncio
import itertools
import logging
from collections.abc import Callable

import pytest
from awxfast.engine.nats_channels import NatsChannels
from nats_servers import NatsCluster, NatsServer
from nats_users import CHANNEL, Join, numbers_heard, pair_of, pass_one, publish_numbers, until


def is_rising(numbers: list[int]) -> bool:
    """In order, and nothing twice."""
    return all(one < next_one for one, next_one in itertools.pairwise(numbers))


class TestPrefix:
    @pytest.mark.parametrize(("query", "more"), [("", ""), ("?prefix=site", ", prefix site")])
    async def test_log_names_one_that_others_may_not_have(
        self,
        start_nats: Callable[..., NatsServer],
        join_nats: Join,
        caplog: pytest.LogCaptureFixture,
        query: str,
        more: str,
    ) -> None:
        caplog.set_level(logging.INFO)
        server = start_nats()
        user = await join_nats(f"nats://{server.place}{query}")
        await user.until_up()
        (line,) = [line for line in caplog.messages if line.startswith("engine")]
        assert line == f"engine: nats at {server.place}: connected to {server.place}{more}"


class TestMessages:
    async def test_each_comes_once_and_in_order_through_the_cluster(
        self, nats_cluster: NatsCluster, join_nats: Join
    ) -> None:
        publisher, taker = await pair_of(join_nats, *(f"nats://{server.place}" for server in nats_cluster.servers[:2]))
        await pass_one(publisher, taker, b"ready")
        await publish_numbers(publisher, CHANNEL, range(5_000))
        await until(lambda: len(numbers_heard(taker)) == 5_000)
        assert numbers_heard(taker) == list(range(5_000))
        assert publisher.lost == taker.lost == []

    async def test_one_turn_of_the_loop_goes_out_together(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        publisher, taker = await pair_of(join_nats, f"nats://{start_nats().place}")
        for number in range(100):
            publisher.carrier.publish(CHANNEL, b"%d" % number, 2)
        assert publisher.carrier.figures().queued == 100
        await until(lambda: len(taker.heard) == 100)
        figures = publisher.carrier.figures()
        assert (figures.published, figures.published_bytes, figures.queued, figures.queued_bytes) == (100, 190, 0, 0)
        assert (taker.carrier.figures().received, taker.carrier.figures().received_bytes) == (100, 190)

    @pytest.mark.parametrize("group", ["a..b", "a.b", "metrics", "A_b-c", "."])
    async def test_group_whatever_its_name_is_heard_under_it(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, group: str
    ) -> None:
        names = NatsChannels("awxfast")
        user = await join_nats(f"nats://{start_nats().place}")
        await user.carrier.subscribe([names.of(group)])
        user.carrier.publish(names.of(group), b"event", 1)
        await until(lambda: bool(user.heard))
        assert [(names.group(channel), message) for channel, message in user.heard] == [(group, b"event")]

    async def test_any_bytes_come_as_they_were(self, start_nats: Callable[..., NatsServer], join_nats: Join) -> None:
        publisher, taker = await pair_of(join_nats, f"nats://{start_nats().place}")
        messages = [b"", b"\r\n", b"PING\r\n", b"MSG x 1 3\r\nabc\r\n", bytes(range(256)) * 4_000]
        for message in messages:
            publisher.carrier.publish(CHANNEL, message, 1)
        await until(lambda: len(taker.heard) == len(messages))
        assert taker.messages(CHANNEL) == messages

    async def test_unsubscribed_channel_is_not_heard_and_may_be_wanted_again(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        publisher, taker = await pair_of(join_nats, f"nats://{start_nats().place}")
        taker.carrier.unsubscribe([CHANNEL, "never.wanted"])
        await taker.carrier.subscribe(["other"])
        publisher.carrier.publish(CHANNEL, b"unheard", 1)
        publisher.carrier.publish("other", b"heard", 1)
        await until(lambda: bool(taker.heard))
        await taker.carrier.subscribe([CHANNEL])
        publisher.carrier.publish(CHANNEL, b"again", 1)
        await until(lambda: len(taker.heard) == 2)
        assert taker.heard == [("other", b"heard"), (CHANNEL, b"again")]

    async def test_thousands_of_channels_cost_no_task_each(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        publisher, taker = await pair_of(join_nats, f"nats://{start_nats().place}")
        tasks = len(asyncio.all_tasks())
        channels = [f"awxfast.group.job_events-{number}" for number in range(10_000)]
        await taker.carrier.subscribe(channels)
        assert len(asyncio.all_tasks()) == tasks
        for channel in channels:
            publisher.carrier.publish(channel, channel.encode(), 1)
            if channel.endswith("00"):
                await asyncio.sleep(0)
        await until(lambda: len(taker.heard) == 10_000)
        assert [message.decode() for _, message in taker.heard] == channels
        assert taker.carrier.figures().subscribed == 10_000

    async def test_what_waits_is_sent_before_the_end(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        publisher, taker = await pair_of(join_nats, f"nats://{start_nats().place}")
        for number in range(1_000):
            publisher.carrier.publish(CHANNEL, b"%d" % number, 1)
        await publisher.carrier.stop()
        await until(lambda: len(taker.heard) == 1_000)
        assert publisher.lost == []


class TestBreaks:
    async def test_server_that_is_killed_is_replaced_by_another(
        self, nats_cluster: NatsCluster, join_nats: Join
    ) -> None:
        publisher, taker = await pair_of(join_nats, nats_cluster.url)
        await pass_one(publisher, taker, b"ready")
        killed = nats_cluster.at(taker.port)
        killed.kill()
        await until(lambda: taker.cuts == 1)
        await pass_one(publisher, taker, b"back")
        assert taker.port != killed.port
        assert taker.carrier.figures().reconnects == 1 and taker.carrier.trouble == ""

    async def test_server_that_is_killed_elsewhere_is_not_noticed(
        self, nats_cluster: NatsCluster, join_nats: Join
    ) -> None:
        publisher, taker = await pair_of(join_nats, *(f"nats://{server.place}" for server in nats_cluster.servers[:2]))
        await pass_one(publisher, taker, b"ready")
        nats_cluster.servers[2].kill()
        await publish_numbers(publisher, CHANNEL, range(500), 0.001)
        await until(lambda: len(numbers_heard(taker)) == 500)
        assert numbers_heard(taker) == list(range(500))
        assert (publisher.cuts, taker.cuts, publisher.lost) == (0, 0, [])

    async def test_server_that_only_the_cluster_knows_is_taken_too(
        self, nats_cluster: NatsCluster, join_nats: Join
    ) -> None:
        named, *others = nats_cluster.servers
        user = await join_nats(f"nats://{named.place}")
        await user.until_up()
        named.kill()
        await until(lambda: user.cuts == 1)
        assert user.port in [server.port for server in others]

    async def test_frozen_server_is_left_within_seconds(self, nats_cluster: NatsCluster, join_nats: Join) -> None:
        publisher, taker = await pair_of(join_nats, nats_cluster.url)
        await pass_one(publisher, taker, b"ready")
        frozen = nats_cluster.at(taker.port)
        frozen.freeze()
        await until(lambda: taker.cuts == 1)
        await publisher.until_up()
        await pass_one(publisher, taker, b"back")
        frozen.thaw()
        await publish_numbers(publisher, CHANNEL, range(500))
        await until(lambda: len(numbers_heard(taker)) == 500)
        assert numbers_heard(taker) == list(range(500))

    async def test_events_that_no_server_has_confirmed_are_counted(
        self, nats_cluster: NatsCluster, join_nats: Join
    ) -> None:
        """Whatever is heard: what is not has been told as lost, and nothing comes twice or out of turn."""
        publisher, taker = await pair_of(join_nats, *(f"nats://{server.place}" for server in nats_cluster.servers[:2]))
        await pass_one(publisher, taker, b"ready")
        publishing = asyncio.create_task(publish_numbers(publisher, CHANNEL, range(4_000), 0.001))
        await asyncio.sleep(1)
        nats_cluster.servers[0].kill()
        await publishing
        await pass_one(publisher, taker, b"end")
        heard = numbers_heard(taker)
        assert publisher.cuts == 1 and is_rising(heard)
        assert {reason for _, reason in publisher.lost} <= {"connection_broken"}
        assert 4_000 - len(heard) <= publisher.lost_events

    async def test_little_is_sent_to_a_frozen_server_and_the_rest_goes_elsewhere(
        self, nats_cluster: NatsCluster, join_nats: Join
    ) -> None:
        theirs, *others = (server.place for server in nats_cluster.servers)
        publisher, taker = await pair_of(join_nats, f"nats://{','.join(others)}", f"nats://{theirs}")
        await pass_one(publisher, taker, b"ready")
        nats_cluster.at(publisher.port).freeze()
        publishing = asyncio.create_task(publish_numbers(publisher, CHANNEL, range(3_000), 0.001))
        await until(lambda: publisher.cuts == 1)
        await publishing
        await pass_one(publisher, taker, b"end")
        heard = numbers_heard(taker)
        assert is_rising(heard) and len(heard) >= 3_000 - publisher.lost_events
        assert publisher.lost_events < 1_500

    async def test_what_waits_while_nobody_answers_is_sent_later(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        server = start_nats()
        publisher, taker = await pair_of(join_nats, f"nats://{server.place}")
        server.kill()
        await until(lambda: not publisher.carrier.up and not taker.carrier.up)
        await publish_numbers(publisher, CHANNEL, range(100))
        assert publisher.carrier.figures().queued == 100
        # The taker is back before the publisher may be, as nothing is kept for who is not there.
        late = await join_nats(f"nats://{server.place}")
        server.start()
        await asyncio.gather(late.until_up(), until(lambda: publisher.cuts == 1), until(lambda: taker.cuts == 1))
        await until(lambda: publisher.carrier.figures().queued == 0)
        assert publisher.lost == []
        assert is_rising(numbers_heard(taker))

    async def test_what_a_server_had_not_taken_when_it_was_killed_goes_to_the_next(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        server = start_nats()
        publisher = await join_nats(f"nats://{server.place}")
        await publisher.until_up()
        server.freeze()
        for _ in range(300):
            publisher.carrier.publish(CHANNEL, bytes(100_000), 1)
        await until(lambda: publisher.carrier.figures().published > 0)
        await asyncio.sleep(0.1)
        server.kill()
        await until(lambda: not publisher.carrier.up)
        await until(lambda: bool(publisher.lost))
        waiting = publisher.carrier.figures().queued
        assert waiting > 0 and publisher.lost == [(300 - waiting, "connection_broken")]
        server.start()
        await until(lambda: publisher.carrier.up and publisher.carrier.figures().queued == 0)
        assert publisher.lost_events == 300 - waiting

    async def test_oldest_go_where_too_many_wait(self, join_nats: Join) -> None:
        user = await join_nats("nats://127.0.0.1:1")
        await publish_numbers(user, CHANNEL, range(10_003))
        assert user.lost == [(1, "queue_full")] * 3
        assert user.carrier.figures().queued == 10_000
        await user.carrier.stop()
        assert user.lost[3:] == [(10_000, "stopped")]

    async def test_wants_of_a_time_without_a_server_hold_when_one_comes(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        server = start_nats()
        server.kill()
        taker = await join_nats(f"nats://{server.place}")
        wanting = asyncio.create_task(taker.carrier.subscribe([CHANNEL]))
        await until(lambda: "refused" in taker.carrier.trouble)
        assert not wanting.done() and not taker.carrier.up
        server.start()
        await wanting
        taker.carrier.publish(CHANNEL, b"event", 1)
        await until(lambda: bool(taker.heard))
        assert taker.cuts == 0

    async def test_wants_that_a_frozen_server_does_not_confirm_are_confirmed_by_the_next(
        self, nats_cluster: NatsCluster, join_nats: Join
    ) -> None:
        taker = await join_nats(nats_cluster.url)
        await taker.until_up()
        nats_cluster.at(taker.port).freeze()
        await taker.carrier.subscribe([CHANNEL])
        assert taker.cuts == 1
        taker.carrier.publish(CHANNEL, b"event", 1)
        await until(lambda: bool(taker.heard))

    async def test_wants_are_kept_over_many_breaks(self, nats_cluster: NatsCluster, join_nats: Join) -> None:
        publisher, taker = await pair_of(join_nats, nats_cluster.url)
        for round_number in range(1, 4):
            server = nats_cluster.at(taker.port)
            server.kill()
            await until(lambda number=round_number: taker.cuts >= number)
            server.start()
            await publisher.until_up()
            await pass_one(publisher, taker, b"round %d" % round_number)

    async def test_end_does_not_wait_for_a_frozen_server(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        server = start_nats()
        user = await join_nats(f"nats://{server.place}")
        await user.until_up()
        server.freeze()
        for _ in range(50):
            user.carrier.publish(CHANNEL, bytes(500_000), 1)
        async with asyncio.timeout(10):
            await user.carrier.stop()
        assert user.lost_events == 50
        assert {reason for _, reason in user.lost} == {"connection_broken", "stopped"}


class TestLimits:
    @pytest.mark.parametrize("name", ["", "a b", "a..b", ".a", "a.", "a.*", "a.>", "a 3\r\nPUB b 0\r\n\r\n", "\u00e4"])
    async def test_name_that_is_no_subject_reaches_no_server(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, name: str
    ) -> None:
        publisher, taker = await pair_of(join_nats, f"nats://{start_nats().place}")
        publisher.carrier.publish(name, b"", 2)
        with pytest.raises(ValueError, match="is no subject"):
            await taker.carrier.subscribe(["fine", name])
        await pass_one(publisher, taker, b"fine")
        assert publisher.lost == [(2, "refused")]
        assert taker.carrier.figures().subscribed == 1 and publisher.cuts == taker.cuts == 0

    async def test_payload_limit_is_the_servers(self, start_nats: Callable[..., NatsServer], join_nats: Join) -> None:
        publisher, taker = await pair_of(join_nats, f"nats://{start_nats('max_payload: 2000').place}")
        assert publisher.carrier.most_bytes == 2_000
        publisher.carrier.publish(CHANNEL, bytes(2_001), 3)
        publisher.carrier.publish(CHANNEL, bytes(2_000), 1)
        await until(lambda: bool(taker.heard))
        assert [len(message) for message in taker.messages(CHANNEL)] == [2_000]
        assert publisher.lost == [(3, "refused")] and publisher.cuts == 0

    async def test_payload_limit_that_shrinks_is_known_when_the_server_has_said_so(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        """It tells by closing the connection that brings more, and with the next one."""
        server = start_nats("max_payload: 4000")
        publisher, taker = await pair_of(join_nats, f"nats://{server.place}")
        server.reload("max_payload: 3000")
        while not publisher.cuts:
            publisher.carrier.publish(CHANNEL, bytes(3_500), 1)
            await asyncio.sleep(0.1)
        assert publisher.carrier.most_bytes == 3_000
        assert {reason for _, reason in publisher.lost} <= {"connection_broken", "refused"} and publisher.lost
        await pass_one(publisher, taker, b"3000")

    async def test_channel_that_is_denied_is_said_and_counted(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, caplog: pytest.LogCaptureFixture
    ) -> None:
        rights = 'publish: { deny: "awxfast.group.>" }'
        server = start_nats(f"authorization {{ users: [{{ user: a, password: b, permissions: {{ {rights} }} }}] }}")
        user = await join_nats(f"nats://a:b@{server.place}")
        await user.carrier.subscribe(["awxfast.wants", CHANNEL])
        for events in range(1, 6):
            user.carrier.publish("awxfast.group.Big", b"event", events)
            user.carrier.publish("awxfast.wants", b"want", 0)
        await until(lambda: user.lost_events == sum(range(1, 6)))
        assert {reason for _, reason in user.lost} == {"refused"}
        assert user.carrier.up and "does not let us publish to awxfast.group.Big" in user.carrier.trouble
        assert len([line for line in caplog.messages if "publish to" in line]) == 1
        assert len(user.messages("awxfast.wants")) == 5
        await asyncio.sleep(0.5)
        assert user.cuts == 0 and user.lost_events == sum(range(1, 6))
