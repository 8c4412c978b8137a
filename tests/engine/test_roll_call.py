"""Who is waited for after a cut, and for how long."""

import asyncio

import pytest
from awxfast.engine import roll_call
from awxfast.engine.roll_call import RollCall
from serving import until


class Gate:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.call = RollCall(lambda: self.said.append("hold"), lambda: self.said.append("release"))


@pytest.fixture
async def gate() -> Gate:
    return Gate()


async def test_ends_with_the_last_who_says_something(gate: Gate) -> None:
    gate.call.begin(["a", "b"])
    gate.call.note("a")
    gate.call.note("stranger")
    assert (gate.said, gate.call.is_under_way) == (["hold"], True)
    gate.call.note("b")
    gate.call.note("b")
    gate.call.end()
    assert (gate.said, gate.call.is_under_way) == (["hold", "release"], False)


async def test_where_nobody_is_to_come_nothing_is_held(gate: Gate) -> None:
    gate.call.begin([])
    assert gate.said == []


async def test_who_says_nothing_is_waited_for_for_a_moment(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call, "HOLD_SECONDS", 0.01)
    gate.call.begin(["a"])
    await until(lambda: gate.said == ["hold", "release"])


async def test_next_cut_begins_anew(gate: Gate) -> None:
    gate.call.begin(["a", "b"])
    gate.call.note("a")
    gate.call.begin(["a", "b"])
    gate.call.note("b")
    assert "release" not in gate.said
    gate.call.begin([])
    await asyncio.sleep(0)
    assert gate.said == ["hold", "hold", "release"]


async def test_cuts_without_end_hold_nothing_for_ever(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call, "HOLD_SECONDS", 3600.0)
    monkeypatch.setattr(roll_call, "LONGEST_HOLD", 0.05)
    while gate.said[-1:] != ["release"]:
        gate.call.begin(["a"])
        await asyncio.sleep(0.01)
