"""What publishers hear of a taker's groups, and when."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from awxfast.engine import told_wants
from awxfast.engine.nats_channels import NatsChannels
from awxfast.engine.told_wants import ToldWants
from awxfast.engine.voice import Voice
from awxfast.wire.backplane import Fault
from awxfast.wire.engine_notices import Ask, Change, Listing, read_notice
from engine.fake_carrier import Exchange, FakeCarrier
from serving import until

WHO = "0123456789abcdef"
REDIS = "a" * 32


class Silent:
    """A listener who does not care."""

    def receive(self, messages: Sequence[tuple[str, bytes]]) -> None:
        raise AssertionError(messages)

    def note_lost(self, events: int, reason: str) -> None:
        raise AssertionError(reason)

    def note_cut(self, channels: object) -> None: ...


class Room:
    """Wants on a fake carrier; what they said."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.carrier: FakeCarrier = exchange.connect()
        self.names = NatsChannels("awxfast")
        self.redis: str | None = REDIS
        self.forgotten: list[str] = []
        self.told = ToldWants(Voice(self.carrier, WHO, "awx-1", self), self.forget)

    @property
    def redis_name(self) -> str | None:
        return self.redis

    @property
    def redis_names(self) -> list[str]:
        return [REDIS]

    def forget(self, groups: Iterable[str]) -> None:
        self.forgotten += groups

    @property
    def said(self) -> list[Any]:
        """Changes as (added, dropped), lists as their groups."""
        notices = [read_notice(message) for channel, message in self.exchange.sent if channel == self.names.wants]
        assert not any(isinstance(notice, Fault) for notice in notices)
        return [self.show(notice) for notice in notices]

    def show(self, notice: Any) -> Any:
        if isinstance(notice, Change):
            return notice.add, notice.drop
        assert isinstance(notice, Listing)
        return notice.groups

    @property
    def subscribed(self) -> set[str]:
        return {self.names.group(channel) for channel in self.carrier.subscribed}


@pytest.fixture
async def room() -> Room:
    room = Room(Exchange())
    await room.carrier.start(Silent())
    room.told.begin()
    return room


class TestChanges:
    async def test_group_is_told_of_when_the_engine_has_confirmed_it(self, room: Room) -> None:
        room.carrier.confirms = False
        room.told.want(["a..b"])
        for _ in range(5):
            await asyncio.sleep(0)
        assert room.said == []
        room.carrier.confirms = True
        await room.told.wait_settled()
        assert (room.said, room.subscribed) == ([(("a..b",), ())], {"a..b"})

    async def test_group_counts_as_subscribed_to_when_the_engine_has_confirmed_it(self, room: Room) -> None:
        room.carrier.confirms = False
        room.told.want(["a"])
        for _ in range(5):
            await asyncio.sleep(0)
        assert not [*room.told.subscribed]
        room.carrier.confirms = True
        await room.told.wait_settled()
        assert [*room.told.subscribed] == ["a"]

    async def test_changes_of_one_turn_are_told_together(self, room: Room) -> None:
        room.told.want(["b"])
        room.told.want(["a"])
        await room.told.wait_settled()
        assert room.said == [(("a", "b"), ())]

    async def test_group_is_taken_back_before_its_subscription_ends(self, room: Room) -> None:
        room.told.want(["a"])
        await room.told.wait_settled()
        seen: list[bool] = []
        send = room.exchange.send
        room.exchange.send = lambda *message: (seen.append("a" in room.subscribed), send(*message))[1]  # type: ignore[method-assign]
        room.told.unwant(["a"])
        await room.told.wait_settled()
        assert (seen, room.said[1], room.subscribed, room.forgotten) == ([True], ((), ("a",)), set(), ["a"])

    async def test_versions_follow_each_other(self, room: Room) -> None:
        before = room.told.version
        for group in "abc":
            room.told.want([group])
            await room.told.wait_settled()
        versions = [read_notice(message).version for _, message in room.exchange.sent]  # type: ignore[union-attr]
        assert versions == [before + 1, before + 2, before + 3]

    async def test_first_change_is_told_at_once_and_the_next_ones_together(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(told_wants, "GATHER_SECONDS", 3600)
        monkeypatch.setattr(told_wants, "LONGEST_GATHER_SECONDS", 3600)
        room.told.want(["a"])
        await until(lambda: room.said == [(("a",), ())])
        room.told.want(["b"])
        room.told.unwant(["a"])
        await until(lambda: "b" in room.subscribed)
        room.told.want(["c"])
        await until(lambda: "c" in room.subscribed)
        assert (len(room.said), room.told.is_settled, "a" in room.subscribed) == (1, False, True)
        await room.told.wait_settled()
        assert (room.said[1:], room.subscribed) == ([(("b", "c"), ("a",))], {"b", "c"})

    @pytest.mark.parametrize(("groups", "seconds"), [(1, 0.1), (20, 0.2), (1_000, 0.5)])
    async def test_more_at_once_are_gathered_for_longer(self, room: Room, groups: int, seconds: float) -> None:
        begin = asyncio.get_running_loop().time()
        room.told.want(f"{number}" for number in range(groups))
        await until(lambda: len(room.said) == 1)
        end = asyncio.get_running_loop().time()
        assert begin + seconds <= room.told._gathers_until <= end + seconds

    async def test_group_that_is_let_go_of_before_it_is_told_is_not_told(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(told_wants, "GATHER_SECONDS", 3600)
        room.told.want(["a"])
        await until(lambda: len(room.said) == 1)
        room.told.want(["b"])
        await until(lambda: "b" in room.subscribed)
        room.told.unwant(["b"])
        await room.told.wait_settled()
        assert (room.said, room.subscribed, room.forgotten) == ([(("a",), ())], {"a"}, ["b"])

    async def test_whoever_wants_a_group_again_before_it_was_left_says_nothing(self, room: Room) -> None:
        room.told.want(["a"])
        await room.told.wait_settled()
        room.told.unwant(["a"])
        room.told.want(["a"])
        await room.told.wait_settled()
        assert (len(room.said), room.subscribed) == (1, {"a"})

    async def test_group_that_is_let_go_of_while_the_engine_is_asked_is_not_told_of(self, room: Room) -> None:
        room.carrier.confirms = False
        room.told.want(["a", "b"])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        room.told.unwant(["a"])
        await asyncio.sleep(0)
        room.carrier.confirms = True
        await room.told.wait_settled()
        assert room.said == [(("b",), ())]

    async def test_groups_that_wait_for_the_engine_keep_no_others_back(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(told_wants, "MOST_SUBSCRIBING", 2)
        room.carrier.confirms = False
        for group in "abcd":
            room.told.want([group])
            for _ in range(3):
                await asyncio.sleep(0)
        room.carrier.confirms = True
        await room.told.wait_settled()
        assert sorted(group for added, _ in room.said for group in added) == list("abcd")

    async def test_no_message_is_larger_than_the_engine_takes(self) -> None:
        room = Room(Exchange(most_bytes=20_000))
        await room.carrier.start(Silent())
        room.told.begin()
        groups = [f"{number:099}" for number in range(500)]
        room.told.want(groups)
        await room.told.wait_settled()
        assert max(len(message) for _, message in room.exchange.sent) <= 20_000
        assert sorted(group for added, _ in room.said for group in added) == groups


class TestLists:
    async def test_whoever_asks_hears_all(self, room: Room) -> None:
        room.told.want(["b", "a"])
        await room.told.wait_settled()
        room.told.receive_ask(Ask(of=(WHO,)))
        await until(lambda: len(room.said) == 2)
        assert room.said[1] == ("a", "b")

    async def test_questions_to_others_are_not_answered(self, room: Room) -> None:
        room.told.receive_ask(Ask(of=("f" * 16,)))
        await asyncio.sleep(0.01)
        assert room.said == []

    async def test_however_many_ask_there_is_one_answer(self, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(told_wants, "LISTING_SECONDS", 3600)
        for _ in range(3):
            room.told.receive_ask(Ask(of=None))
        await until(lambda: room.said == [()])
        room.told.receive_ask(Ask(of=None))
        await asyncio.sleep(0.01)
        assert room.said == [()]
        room.told.stop()

    async def test_who_does_not_know_its_redis_says_nothing(self, room: Room) -> None:
        room.redis = None
        room.told.want(["a"])
        await room.told.wait_settled()
        assert (room.said, room.subscribed) == ([], {"a"})
        room.redis = REDIS
        room.told.receive_ask(Ask(of=None))
        await until(lambda: room.said == [("a",)])


class TestBeginning:
    async def test_what_was_wanted_before_is_told_then(self) -> None:
        room = Room(Exchange())
        await room.carrier.start(Silent())
        room.told.want(["a"])
        await room.told.wait_settled()
        assert (room.said, room.subscribed) == ([], {"a"})
        room.told.begin()
        assert room.said == [(("a",), ())]

    async def test_heir_of_a_version_lists_all_that_was_told_of_before(self) -> None:
        room = Room(Exchange())
        await room.carrier.start(Silent())
        room.carrier.confirms = False
        room.told.want(["a"])
        room.told.begin(41)
        assert (room.said, room.told.version) == ([("a",)], 42)
        room.carrier.confirms = True
        await room.told.wait_settled()
        assert (room.said, room.subscribed) == ([("a",)], {"a"})
