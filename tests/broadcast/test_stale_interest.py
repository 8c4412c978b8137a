"""What nobody has asked for again is dropped after a time, and kept when it is asked to be."""

import asyncio

import pytest
from awxfast.broadcast.interest import PeerInterest
from awxfast.broadcast.joined_groups import JoinedGroups
from awxfast.broadcast.stale_interest import StaleInterest
from awxfast.intake.group_holder import STEP
from broadcast.holding import Holder, subscribe
from serving import until


@pytest.fixture
async def interest() -> PeerInterest:
    """Of a peer whose link is lost, more than one step drops."""
    peer = PeerInterest(JoinedGroups(Holder()))
    peer.apply(subscribe(*(f"a-{number}" for number in range(2 * STEP + 1))))
    peer.mark_stale()
    return peer


async def test_all_of_it_is_dropped_in_steps(interest: PeerInterest) -> None:
    StaleInterest(interest).drop_after(0.0)
    await until(lambda: not interest.groups)


async def test_what_is_asked_for_again_meanwhile_stays(interest: PeerInterest) -> None:
    StaleInterest(interest).drop_after(0.0)
    interest.apply(subscribe("a-0"))
    await until(lambda: len(interest.groups) == 1)
    assert interest.groups == {"a-0"}


async def test_last_word_counts(interest: PeerInterest) -> None:
    stale = StaleInterest(interest)
    stale.drop_after(3_600.0)
    stale.drop_after(0.0)
    await until(lambda: not interest.groups)


async def test_nothing_is_dropped_of_a_peer_that_is_left(interest: PeerInterest) -> None:
    stale = StaleInterest(interest)
    stale.drop_after(0.0)
    stale.keep()
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(interest.groups) == 2 * STEP + 1
