"""Users of a real Redis or Valkey whose rights end somewhere: what is said of it, and that what is said is enough."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from awxfast.intake.intake import Intake
from awxfast.intake.names import ProcessNames
from awxfast.intake.needs import list_needs, list_pubsub_needs
from awxfast.intake.pubsub_intake import PubSubIntake
from awxfast.redis.address import RedisAddress
from awxfast.redis.rights import Missing, Need, all_words
from awxfast.redis.server_facts import ask_facts
from awxfast.settings import Settings, default_layer
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis_impostors import connected
from redis_servers import RedisServer
from remembering_fanout import RememberingFanout, eventually

PLACES = ("~asgi*", "~awxfast:*")
PUBSUB = default_layer("pubsub")
SAID = re.compile(r"the user relay lacks rights: ACL SETUSER relay ([^;\n]*)")


def make_user(server: RedisServer, *words: str) -> RedisAddress:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "relay", "reset", "on", ">pw", *words)
    return RedisAddress(path=str(server.socket), username="relay", password="pw")


def allow(server: RedisServer, words: str) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "relay", *words.split())


@contextlib.asynccontextmanager
async def started(address: RedisAddress, fanout: RememberingFanout) -> AsyncIterator[Intake]:
    intake = Intake(Settings(), address, fanout)
    try:
        await intake.start()
        yield intake
    finally:
        await intake.stop()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("awxfast.intake.intake.START_TIMEOUT", 1.0)


class TestEnough:
    async def test_user_with_the_rights_of_the_table_has_events_and_no_line(
        self,
        either_redis: RedisServer,
        fanout: RememberingFanout,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        async with connected(either_redis.address) as connection:
            needs = list_needs(ProcessNames("asgi"), await ask_facts(connection))
        words = dict.fromkeys(word for need in (*needs, Need(("PING",))) for word in all_words(need))
        address = make_user(either_redis, *words, "+multi", "+exec", "+discard")
        producer = RedisChannelLayer(hosts=[either_redis.url])
        async with started(address, fanout) as intake:
            await intake.hold(["a", "b"])
            intake.release(["b"])
            await producer.group_send("a", {"type": "internal.message", "text": "here"})
            await eventually(lambda: len(fanout.batches) == 1)
            assert await intake.rights.find_missing() is None
        await producer.close_pools()
        assert caplog.messages == []
        assert either_redis.client().keys("*") == []


class TestLists:
    async def test_user_with_the_rights_of_the_table_has_events_and_no_line(
        self, either_redis: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        layer = default_layer("lists")
        async with connected(either_redis.address) as connection:
            needs = list_needs(ProcessNames("asgi:"), await ask_facts(connection), "lists")
        words = dict.fromkeys(word for need in (*needs, Need(("PING",))) for word in all_words(need))
        intake = Intake(layer, make_user(either_redis, *words, "+multi", "+exec", "+discard"), fanout)
        await intake.start()
        await intake.hold(["a"])
        with either_redis.client() as client:
            for size in (1, 1_000):
                client.lpush(intake.names.queue, *[b"x"] * size)
                await eventually(lambda: not client.exists(intake.names.queue))
        assert await intake.rights.find_missing() is None
        await intake.stop()
        assert sum(map(len, fanout.batches)) == 1_001
        assert caplog.messages == []


class TestPage:
    async def test_user_that_the_page_makes_lacks_nothing(self, either_redis: RedisServer) -> None:
        page = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
        (words,) = re.findall(r"^    ACL SETUSER awxfast on >password (.*)$", page, re.MULTILINE)
        intake = Intake(Settings(), make_user(either_redis, *words.split()), RememberingFanout())
        assert await intake.rights.find_missing() is None


class TestVital:
    async def test_rights_that_end_at_the_prefix_are_told_in_one_line_and_its_words_mend_it(
        self, either_redis: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with started(make_user(either_redis, "~asgi*", "+@all"), fanout) as intake:
            await eventually(lambda: intake.trouble.startswith("refuses: NOPERM "))
            (line,) = caplog.messages
            (words,) = SAID.findall(line)
            assert words == "~awxfast:*"
            assert "away" not in line
            allow(either_redis, words)
            await eventually(lambda: intake.ready)

    @pytest.mark.parametrize("command", ["zadd", "hset", "zpopmin", "type"])
    async def test_command_that_is_missing_is_named_alone(
        self, either_redis: RedisServer, fanout: RememberingFanout, command: str
    ) -> None:
        async with started(make_user(either_redis, *PLACES, "+@all", f"-{command}"), fanout) as intake:
            missing = await intake.rights.find_missing()
            assert missing is not None
            assert missing.words[-1:] == (f"+{command}",)
            assert missing.is_vital

    async def test_right_that_is_taken_away_later_is_told_at_once(
        self, either_redis: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with started(make_user(either_redis, *PLACES, "+@all"), fanout) as intake:
            await eventually(lambda: intake.ready)
            allow(either_redis, "-zadd")
            await eventually(lambda: not intake.ready)
            assert SAID.findall(caplog.text) == ["~asgi* +zadd"]
            allow(either_redis, "+zadd")
            await eventually(lambda: intake.ready)

    async def test_user_who_may_begin_no_transaction_is_told_everything(self, either_redis: RedisServer) -> None:
        intake = Intake(Settings(), make_user(either_redis, *PLACES, "+@all", "-multi"), RememberingFanout())
        missing = await intake.rights.find_missing()
        assert missing is not None
        assert {"+multi", "+exec", "+zadd", "~asgi*", "~awxfast:*"} <= set(missing.words)


class TestOthers:
    async def test_what_only_tidies_up_is_told_once_and_keeps_nobody(
        self, either_redis: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        address = make_user(either_redis, *PLACES, "+@all", "-scan", "-eval", "-client")
        async with started(address, fanout) as intake:
            await eventually(lambda: intake.ready)
            await asyncio.sleep(1.5)
            assert SAID.findall(caplog.text)[0].split() == ["+scan", "+eval", "+client|id", "+client|unblock"]

    async def test_redis_without_a_password_is_told_of_its_default_user(self, either_redis: RedisServer) -> None:
        with either_redis.client() as client:
            client.execute_command("ACL", "SETUSER", "default", "-zadd")
        missing = await Intake(Settings(), either_redis.address, RememberingFanout()).rights.find_missing()
        assert missing == Missing("default", ("~asgi*", "+zadd"), is_vital=True)


class TestPubSub:
    """Channels of Redis' in place of keys."""

    @pytest.mark.parametrize("has_channels", [False, True])
    async def test_user_with_the_rights_of_the_table_has_events_and_no_line(
        self,
        either_redis: RedisServer,
        fanout: RememberingFanout,
        caplog: pytest.LogCaptureFixture,
        has_channels: bool,
    ) -> None:
        async with connected(either_redis.address) as connection:
            facts = await ask_facts(connection)
        needs = list_pubsub_needs(ProcessNames("asgi"), facts, has_channels=has_channels)
        words = dict.fromkeys(word for need in needs for word in all_words(need))
        address = make_user(either_redis, "resetchannels", *words, "+multi", "+exec", "+discard")
        producer = RedisPubSubChannelLayer(hosts=[either_redis.url])
        intake = PubSubIntake(PUBSUB, address, fanout, announce_in="broadcast-group_send", has_channels=has_channels)
        await intake.start()
        await intake.hold(["a", "b"])
        intake.release(["b"])
        await producer.group_send("a", {"type": "internal.message", "text": "here"})
        await eventually(lambda: len(fanout.pushed) == 1)
        assert await intake.rights.find_missing() is None
        await intake.stop()
        await producer.flush()
        assert caplog.messages == []

    async def test_channels_that_end_elsewhere_are_told_in_one_line_and_its_words_mend_it(
        self, either_redis: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        address = make_user(either_redis, "resetchannels", "&other*", "+@all", "-subscribe", "-pubsub")
        intake = PubSubIntake(PUBSUB, address, fanout)
        await intake.start()
        await eventually(lambda: intake.trouble.startswith("refuses: NOPERM "))
        (words,) = SAID.findall(caplog.text)
        assert words == "&asgi__group__* +subscribe +pubsub|numsub"
        allow(either_redis, words)
        await eventually(lambda: intake.ready)
        await intake.stop()

    async def test_pattern_of_an_applications_channels_needs_all(self, either_redis: RedisServer) -> None:
        address = make_user(either_redis, "resetchannels", "&asgi*", "+@all")
        for has_channels, words in ((False, None), (True, ("allchannels",))):
            intake = PubSubIntake(PUBSUB, address, RememberingFanout(), has_channels=has_channels)
            missing = await intake.rights.find_missing()
            assert (missing and missing.words) == words

    async def test_what_only_tells_others_is_told_once_and_keeps_nobody(
        self, either_redis: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        address = make_user(either_redis, "resetchannels", "&asgi*", "+@all", "-publish", "-info")
        intake = PubSubIntake(PUBSUB, address, fanout)
        await intake.start()
        await eventually(lambda: intake.ready)
        assert SAID.findall(caplog.text) == ["&asgi__group__* +publish +info"]
        await intake.stop()

    @pytest.mark.parametrize("has_channels", [False, True])
    async def test_user_that_the_page_makes_lacks_nothing(self, either_redis: RedisServer, has_channels: bool) -> None:
        page = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
        words, more = re.search(r"`ACL SETUSER awxfast ([^`]*)`, with an\s+application `([^`]*)` too", page).groups()  # type: ignore[union-attr]
        given = [*words.split(), *(more.split() if has_channels else [])]
        address = make_user(either_redis, "resetchannels", *given, "+multi", "+exec", "+discard")
        intake = PubSubIntake(PUBSUB, address, RememberingFanout(), has_channels=has_channels)
        assert await intake.rights.find_missing() is None
