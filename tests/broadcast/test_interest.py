"""One registration a group however many peers, and none that nobody wants."""

import asyncio
from collections.abc import Iterable

import pytest
from awxfast.broadcast import interest
from awxfast.broadcast.interest import Joined, PeerInterest
from awxfast.wire.backplane import Notice


class Holder:
    """Joins that wait until the test lets them."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.released: list[str] = []
        self.answers = asyncio.Event()

    async def hold(self, groups: Iterable[str]) -> None:
        (group,) = groups
        self.held.append(group)
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self.released.append(group)
            raise

    def hold_inherited(self, groups: Iterable[str]) -> None:
        self.held.extend(groups)

    def release(self, groups: Iterable[str]) -> None:
        self.released += groups


@pytest.fixture
async def holder() -> Holder:
    return Holder()


def subscribe(*groups: str, origin: str = "a!1") -> Notice:
    return Notice(True, groups, origin)


def unsubscribe(*groups: str, origin: str = "a!1") -> Notice:
    return Notice(False, groups, origin)


def drop_stale(peer: PeerInterest) -> None:
    """All steps."""
    for _ in peer.drop_stale():
        pass


class TestJoined:
    async def test_group_of_two_peers_is_joined_once_and_left_with_the_last(self, holder: Holder) -> None:
        joined = Joined(holder)
        first, second = PeerInterest(joined), PeerInterest(joined)
        holder.answers.set()
        first.apply(subscribe("jobs-summary"))
        second.apply(subscribe("jobs-summary"))
        await asyncio.sleep(0)
        assert joined.groups == {"jobs-summary": 2}
        first.clear()
        assert (holder.held, holder.released) == (["jobs-summary"], [])
        second.apply(unsubscribe("jobs-summary"))
        assert holder.released == ["jobs-summary"]
        assert not joined.groups

    async def test_join_that_still_waits_is_undone_by_its_end(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("jobs-summary"))
        await asyncio.sleep(0)
        peer.clear()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (holder.held, holder.released) == (["jobs-summary"], ["jobs-summary"])

    async def test_end_of_the_process_leaves_no_group_by_itself(self, holder: Holder) -> None:
        joined = Joined(holder)
        peer = PeerInterest(joined)
        holder.answers.set()
        peer.apply(subscribe("jobs-summary"))
        await asyncio.sleep(0)
        joined.end()
        peer.apply(subscribe("jobs-others"))
        await asyncio.sleep(0)
        peer.apply(unsubscribe("jobs-summary"))
        peer.clear()
        assert (holder.held, holder.released) == (["jobs-summary"], [])

    async def test_group_that_comes_back_is_joined_again(self, holder: Holder) -> None:
        holder.answers.set()
        peer = PeerInterest(Joined(holder))
        for _ in range(2):
            peer.apply(subscribe("a-1"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            peer.apply(unsubscribe("a-1"))
        assert (holder.held, holder.released) == (["a-1"] * 2, ["a-1"] * 2)


class TestPeerInterest:
    async def test_group_stays_while_any_channel_wants_it(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("a-1", "b-1", origin="a!1"))
        peer.apply(subscribe("a-1", origin="a!2"))
        peer.apply(unsubscribe("a-1", "b-1", origin="a!1"))
        assert set(peer.groups) == {"a-1"}
        peer.apply(unsubscribe("a-1", origin="a!2"))
        assert not peer.groups

    async def test_subscription_adds_and_takes_nothing_away(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("a-1"))
        peer.apply(subscribe("b-1"))
        assert set(peer.groups) == {"a-1", "b-1"}

    async def test_unsubscription_from_what_is_unknown_means_nothing(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(unsubscribe("a-1"))
        peer.apply(subscribe("a-1", origin="a!1"))
        peer.apply(unsubscribe("a-1", origin="a!9"))
        assert set(peer.groups) == {"a-1"}

    async def test_metrics_need_nobody_to_ask(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.want_always("metrics")
        peer.apply(unsubscribe("metrics"))
        assert set(peer.groups) == {"metrics"}


class TestRoom:
    @pytest.fixture(autouse=True)
    def bounds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(interest, "MAX_SUBSCRIPTIONS", 3)
        monkeypatch.setattr(interest, "MAX_WAITING", 2)

    async def test_peer_without_end_is_bounded(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3", "a-4", "a-5", "a-6", "a-6"))
        assert set(peer.groups) == {"a-1", "a-2", "a-3"}
        assert (peer.refused, peer.waiting, peer.forgotten) == (4, 2, True)

    async def test_what_found_no_room_is_joined_when_there_is_some(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3"))
        peer.apply(subscribe("b-1", origin="a!2"))
        peer.apply(unsubscribe("a-2"))
        await asyncio.sleep(0)
        assert set(peer.groups) == {"a-1", "a-3", "b-1"}
        assert holder.held[-1] == "b-1"
        assert peer.waiting == 0

    async def test_the_first_that_waits_is_the_first_that_is_joined(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3", "b-1", "b-2"))
        peer.apply(subscribe("b-1"))
        peer.apply(unsubscribe("a-1"))
        assert set(peer.groups) == {"a-2", "a-3", "b-1"}

    async def test_what_is_left_while_it_waits_is_not_joined(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3", "b-1"))
        peer.apply(unsubscribe("b-1"))
        peer.apply(unsubscribe("a-1"))
        assert set(peer.groups) == {"a-2", "a-3"}

    async def test_what_waits_on_a_lost_link_grows_stale_as_well(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3", "b-1", "b-2"))
        peer.mark_stale()
        peer.apply(subscribe("b-2"))
        drop_stale(peer)
        assert set(peer.groups) == {"b-2"}
        assert peer.waiting == 0

    async def test_nothing_waits_when_nothing_is_wanted(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3", "b-1"))
        peer.clear()
        assert (set(peer.groups), peer.waiting) == (set(), 0)
        peer.apply(subscribe("b-2"))
        assert set(peer.groups) == {"b-2"}


class TestStale:
    async def test_what_is_not_asked_for_again_is_dropped(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("a-1", "b-1", "c-1"))
        peer.mark_stale()
        assert len(peer.groups) == 3
        peer.apply(subscribe("b-1"))
        peer.apply(unsubscribe("c-1"))
        drop_stale(peer)
        assert set(peer.groups) == {"b-1"}

    async def test_other_channel_does_not_keep_it(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe("a-1", origin="a!1"))
        peer.mark_stale()
        peer.apply(subscribe("a-1", origin="a!2"))
        drop_stale(peer)
        peer.apply(unsubscribe("a-1", origin="a!2"))
        assert not peer.groups

    async def test_what_came_on_an_earlier_link_and_is_applied_late_is_stale(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        earlier = peer.link
        peer.mark_stale()
        peer.apply(subscribe("a-1"), earlier)
        drop_stale(peer)
        assert not peer.groups


class TestTurns:
    async def test_many_groups_are_left_some_a_turn(self, holder: Holder) -> None:
        holder.answers.set()
        peer = PeerInterest(Joined(holder))
        groups = [f"a-{number}" for number in range(3 * interest.STEP)]
        peer.apply(subscribe(*groups))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        peer.clear()
        assert not peer.groups
        for turn in range(1, 4):
            assert len(holder.released) == turn * interest.STEP
            await asyncio.sleep(0)
        assert holder.released == groups

    async def test_stale_ones_are_dropped_some_a_step(self, holder: Holder) -> None:
        peer = PeerInterest(Joined(holder))
        peer.apply(subscribe(*(f"a-{number}" for number in range(2 * interest.STEP))))
        peer.mark_stale()
        steps = peer.drop_stale()
        next(steps)
        assert len(peer.groups) == interest.STEP


class TestInheritance:
    async def test_what_was_wanted_is_wanted_and_what_was_stale_is_stale(self, holder: Holder) -> None:
        old = PeerInterest(Joined(Holder()))
        old.apply(subscribe("stale-1"))
        old.mark_stale()
        old.apply(subscribe("fresh-1", "fresh-2", origin="a!2"))
        joined = Joined(holder)
        new = PeerInterest(joined)
        joined.inherits = True
        new.inherit(old.freeze())
        joined.inherits = False
        assert new.groups == {"stale-1", "fresh-1", "fresh-2"}
        assert sorted(holder.held) == ["fresh-1", "fresh-2", "stale-1"]
        for _ in new.drop_stale():
            pass
        assert new.groups == {"fresh-1", "fresh-2"}
        assert holder.released == ["stale-1"]
