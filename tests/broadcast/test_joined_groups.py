"""One registration a group however many peers, and none that nobody wants."""

import asyncio

import pytest
from awxfast.broadcast import joined_groups
from awxfast.broadcast.interest import PeerInterest
from awxfast.broadcast.joined_groups import JoinedGroups
from broadcast.holding import Holder, subscribe, unsubscribe


@pytest.fixture
async def holder() -> Holder:
    return Holder()


class TestJoined:
    async def test_group_of_two_peers_is_joined_once_and_left_with_the_last(self, holder: Holder) -> None:
        joined = JoinedGroups(holder)
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

    async def test_group_that_is_joined_keeps_no_task(self, holder: Holder) -> None:
        joined = JoinedGroups(holder)
        joined.want("a-1")
        assert joined.joining == 1
        holder.answers.set()
        for _ in range(3):
            await asyncio.sleep(0)
        assert (joined.joining, joined.groups) == (0, {"a-1": 1})
        joined.unwant("a-1")
        assert holder.released == ["a-1"]

    async def test_join_that_still_waits_is_undone_by_its_end(self, holder: Holder) -> None:
        peer = PeerInterest(JoinedGroups(holder))
        peer.apply(subscribe("jobs-summary"))
        await asyncio.sleep(0)
        peer.clear()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (holder.held, holder.released) == (["jobs-summary"], ["jobs-summary"])

    async def test_end_of_the_process_leaves_no_group_by_itself(self, holder: Holder) -> None:
        joined = JoinedGroups(holder)
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
        peer = PeerInterest(JoinedGroups(holder))
        for _ in range(2):
            peer.apply(subscribe("a-1"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            peer.apply(unsubscribe("a-1"))
        assert (holder.held, holder.released) == (["a-1"] * 2, ["a-1"] * 2)


class TestTurns:
    async def test_many_groups_are_left_some_a_turn(self, holder: Holder) -> None:
        holder.answers.set()
        peer = PeerInterest(JoinedGroups(holder))
        groups = [f"a-{number}" for number in range(3 * joined_groups.STEP)]
        peer.apply(subscribe(*groups))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        peer.clear()
        assert not peer.groups
        for turn in range(1, 4):
            assert len(holder.released) == turn * joined_groups.STEP
            await asyncio.sleep(0)
        assert holder.released == groups
