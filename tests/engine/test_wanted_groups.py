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
async def test_others_are_joined_later_while_many_wait_for_a_redis(
    begins_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted_groups, "MANY_JOINING", 10)
    later: list[float] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later
    monkeypatch.setattr(loop, "call_later", lambda seconds, call: (later.append(seconds), call_later(0, call))[1])
    joining = Joining()
    wanted = WantedGroups(joining)
    joining.joining = 30
    if begins_before:
        wanted.begin()
    wanted.add([f"g{number}" for number in range(2 * STEP)])
    wanted.begin()
    assert joining.calls == []
    while len(joining.calls) < 2 * STEP:  # noqa: ASYNC110  turns are what is looked at
        await asyncio.sleep(0)
    assert later == [3 * wanted_groups.JOINING_SECONDS] * 2, "one turn follows the other"


async def test_they_are_left_while_many_wait_for_a_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted_groups, "MANY_JOINING", 10)
    joining = Joining()
    wanted = WantedGroups(joining)
    wanted.begin()
    wanted.add(["a"])
    await asyncio.sleep(0)
    joining.joining = 10
    wanted.remove(["a"])
    await until(lambda: joining.calls == ["+a", "-a"], "it is not left")


async def test_nothing_is_left_at_the_end() -> None:
    joining = Joining()
    wanted = WantedGroups(joining)
    wanted.begin()
    wanted.add(["a"])
    wanted.end()
    await asyncio.sleep(0)
    assert joining.calls == []
