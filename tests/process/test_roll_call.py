"""Who answers an operator's question in time, and what is said of the one that does not."""

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from awxfast.process import roll_call
from awxfast.process.roll_call import HANGS, RollCall


class StandIn:
    is_late = False

    def __init__(self, answer: dict[str, Any] | None, seconds: float = 0) -> None:
        self.answer, self.seconds = answer, seconds

    async def ask(self, question: str, kind: str) -> dict[str, Any] | None:
        await asyncio.sleep(self.seconds)
        return self.answer


class Place:
    """One place, whose present child may be another one a moment later."""

    def __init__(self, *children: StandIn, present: StandIn | None) -> None:
        self.present = present
        self.tally = Mock()
        self.tally.has_told.return_value = True
        self.heir: StandIn | None = None
        self.roll_call = RollCall(children, self.tally, lambda: self.present, self.wait)

    async def wait(self) -> None:
        self.present = self.heir or self.present

    async def ask(self, *, everybody: bool = True) -> tuple[list[dict[str, Any]], str | None]:
        return await self.roll_call.ask("figures", "told", everybody=everybody)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call, "ANSWER_LIMIT", 0.2)


async def test_those_that_drain_are_asked_where_everybody_is() -> None:
    present, draining = StandIn({"pid": 1}), StandIn({"pid": 2})
    place = Place(draining, present, present=present)
    assert await place.ask() == ([{"pid": 1}, {"pid": 2}], None)
    assert await place.ask(everybody=False) == ([{"pid": 1}], None)


async def test_one_that_hangs_holds_up_nobody_elses_answer() -> None:
    present, draining = StandIn({"pid": 1}), StandIn({"pid": 2}, seconds=600)
    assert await Place(draining, present, present=present).ask() == ([{"pid": 1}], None)
    present.seconds, draining.seconds = 600, 0
    assert await Place(draining, present, present=present).ask() == ([{"pid": 2}], HANGS)


async def test_one_that_was_late_before_is_not_asked_while_it_drains() -> None:
    present, late = StandIn({"pid": 1}), StandIn({"pid": 2})
    late.is_late = True
    assert await Place(late, present, present=present).ask() == ([{"pid": 1}], None)


async def test_one_that_goes_while_it_is_asked_has_a_successor_that_answers() -> None:
    going = StandIn(None)
    place = Place(going, present=going)
    place.heir = StandIn({"pid": 3})
    assert await place.ask() == ([{"pid": 3}], None)


async def test_why_nobody_answers_is_said() -> None:
    assert await Place(present=None).ask() == ([], "no process serves, another one is to start")
    starting = StandIn({"pid": 1})
    place = Place(starting, present=starting)
    place.tally.has_told.return_value = False
    assert await place.ask() == ([], "the serving process is starting")
