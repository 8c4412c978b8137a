"""Groups that are wanted elsewhere: joined for the first who wants them, some a turn."""

import asyncio

import pytest
from awxfast.engine import wanted_groups
from awxfast.engine.wanted_groups import WantedGroups
from awxfast.intake.group_holder import STEP
from carrier_traffic import until


class Joining:
    joining = 0

    def __init__(self) -> None:
        self.calls: list[str] = []

    def want(self, group: str) -> None:
        self.calls.append(f"+{group}")

    def unwant(self, group: str) -> None:
        self.calls.append(f"-{group}")


async def test_group_is_joined_once_and_left_with_the_last() -> None:
    joining = Joining()
    wanted = WantedGroups(joining)
    wanted.begin()
    for change in (wanted.add, wanted.add, wanted.remove):
        change(["a"])
        await asyncio.sleep(0)
    assert (joining.calls, "a" in wanted) == (["+a"], True)
    wanted.remove(["a"])
    await asyncio.sleep(0)
    assert (joining.calls, "a" in wanted, len(wanted)) == (["+a", "-a"], False, 0)


async def test_what_is_unwanted_before_it_was_joined_is_not() -> None:
    joining = Joining()
    wanted = WantedGroups(joining)
    wanted.begin()
    wanted.add(["a"])
    wanted.remove(["a"])
    await asyncio.sleep(0)
    assert joining.calls == []


async def test_many_are_joined_in_several_turns() -> None:
    joining = Joining()
    wanted = WantedGroups(joining)
    wanted.begin()
    wanted.add([f"g{number}" for number in range(STEP + 1)])
    await asyncio.sleep(0)
    assert len(joining.calls) == STEP
    await asyncio.sleep(0)
    assert len(joining.calls) == STEP + 1


async def test_nothing_is_joined_before_it_begins_and_then_all() -> None:
    joining = Joining()
    wanted = WantedGroups(joining)
    wanted.add([f"g{number}" for number in range(2 * STEP)])
    await asyncio.sleep(0)
    assert joining.calls == []
    wanted.begin()
    assert len(joining.calls) == 2 * STEP


@pytest.mark.parametrize("begins_before", [True, False])
async def test_more_are_not_joined_while_many_wait_for_redis(
    begins_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted_groups, "MOST_JOINING", 10)
    monkeypatch.setattr(wanted_groups, "JOINING_SECONDS", 0.001)
    joining = Joining()
    wanted = WantedGroups(joining)
    joining.joining = 10
    if begins_before:
        wanted.begin()
    wanted.add([f"g{number}" for number in range(2 * STEP)])
    wanted.begin()
    await asyncio.sleep(0.01)
    assert joining.calls == []
    joining.joining = 9
    await until(lambda: len(joining.calls) == 2 * STEP, "they are not joined")


async def test_nothing_is_left_at_the_end() -> None:
    joining = Joining()
    wanted = WantedGroups(joining)
    wanted.begin()
    wanted.add(["a"])
    wanted.end()
    await asyncio.sleep(0)
    assert joining.calls == []
