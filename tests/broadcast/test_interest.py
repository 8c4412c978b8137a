"""What one peer wants: by whom it was asked for, since when, and whether there is room."""

import asyncio

import pytest
from awxfast.broadcast import interest
from awxfast.broadcast.interest import PeerInterest
from awxfast.broadcast.joined_groups import JoinedGroups
from broadcast.holding import Holder, subscribe, unsubscribe


@pytest.fixture
async def holder() -> Holder:
    return Holder()


def drop_stale(peer: PeerInterest) -> None:
    """All steps."""
    for _ in peer.drop_stale():
        pass


class TestPeerInterest:
    async def test_group_stays_while_any_channel_wants_it(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("a-1", "b-1", origin="a!1"))
        peer.apply(subscribe("a-1", origin="a!2"))
        peer.apply(unsubscribe("a-1", "b-1", origin="a!1"))
        assert set(peer.groups) == {"a-1"}
        peer.apply(unsubscribe("a-1", origin="a!2"))
        assert not peer.groups

    async def test_subscription_adds_and_takes_nothing_away(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("a-1"))
        peer.apply(subscribe("b-1"))
        assert set(peer.groups) == {"a-1", "b-1"}

    async def test_unsubscription_from_what_is_unknown_means_nothing(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(unsubscribe("a-1"))
        peer.apply(subscribe("a-1", origin="a!1"))
        peer.apply(unsubscribe("a-1", origin="a!9"))
        assert set(peer.groups) == {"a-1"}

    async def test_metrics_need_nobody_to_ask(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.want_always("metrics")
        peer.apply(unsubscribe("metrics"))
        assert set(peer.groups) == {"metrics"}


class TestRoom:
    @pytest.fixture(autouse=True)
    def bounds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(interest, "MAX_SUBSCRIPTIONS", 3)
        monkeypatch.setattr(interest, "MAX_WAITING", 2)

    async def test_peer_without_end_is_bounded(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3", "a-4", "a-5", "a-6", "a-6"))
        assert set(peer.groups) == {"a-1", "a-2", "a-3"}
        assert (peer.refused, peer.waiting, peer.forgotten) == (4, 2, True)

    async def test_what_found_no_room_is_joined_when_there_is_some(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3"))
        peer.apply(subscribe("b-1", origin="a!2"))
        peer.apply(unsubscribe("a-2"))
        await asyncio.sleep(0)
        assert set(peer.groups) == {"a-1", "a-3", "b-1"}
        assert holder.held[-1] == "b-1"
        assert peer.waiting == 0

    async def test_the_first_that_waits_is_the_first_that_is_joined(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3", "b-1", "b-2"))
        peer.apply(subscribe("b-1"))
        peer.apply(unsubscribe("a-1"))
        assert set(peer.groups) == {"a-2", "a-3", "b-1"}

    async def test_what_is_left_while_it_waits_is_not_joined(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3", "b-1"))
        peer.apply(unsubscribe("b-1"))
        peer.apply(unsubscribe("a-1"))
        assert set(peer.groups) == {"a-2", "a-3"}

    async def test_what_waits_on_a_lost_link_grows_stale_as_well(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3", "b-1", "b-2"))
        peer.mark_stale()
        peer.apply(subscribe("b-2"))
        drop_stale(peer)
        assert set(peer.groups) == {"b-2"}
        assert peer.waiting == 0

    async def test_nothing_waits_when_nothing_is_wanted(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("a-1", "a-2", "a-3", "b-1"))
        peer.clear()
        assert (set(peer.groups), peer.waiting) == (set(), 0)
        peer.apply(subscribe("b-2"))
        assert set(peer.groups) == {"b-2"}


class TestStale:
    async def test_what_is_not_asked_for_again_is_dropped(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("a-1", "b-1", "c-1"))
        peer.mark_stale()
        assert len(peer.groups) == 3
        peer.apply(subscribe("b-1"))
        peer.apply(unsubscribe("c-1"))
        drop_stale(peer)
        assert set(peer.groups) == {"b-1"}

    async def test_other_channel_does_not_keep_it(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("a-1", origin="a!1"))
        peer.mark_stale()
        peer.apply(subscribe("a-1", origin="a!2"))
        drop_stale(peer)
        peer.apply(unsubscribe("a-1", origin="a!2"))
        assert not peer.groups

    async def test_what_came_on_an_earlier_link_and_is_applied_late_is_stale(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        earlier = peer.link
        peer.mark_stale()
        peer.apply(subscribe("a-1"), earlier)
        drop_stale(peer)
        assert not peer.groups


class TestTurns:
    async def test_stale_ones_are_dropped_some_a_step(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe(*(f"a-{number}" for number in range(2 * interest.STEP))))
        peer.mark_stale()
        steps = peer.drop_stale()
        next(steps)
        assert len(peer.groups) == interest.STEP


class TestInheritance:
    async def test_what_was_wanted_is_wanted_and_what_was_stale_is_stale(self, holder: Holder) -> None:
        old = PeerInterest(JoinedGroups(Holder()))
        old.apply(subscribe("stale-1"))
        old.mark_stale()
        old.apply(subscribe("fresh-1", "fresh-2", origin="a!2"))
        joined = JoinedGroups(holder)
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
