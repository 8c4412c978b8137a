"""Who runs in one place: heard to the end, told together."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import Mock

import pytest
from awxfast.errors import HandOverFailed
from awxfast.process import children as children_module
from awxfast.process.children import Children


class StandIn:
    """A child whose end the test decides."""

    def __init__(self) -> None:
        self.over: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.take_report: Callable[[Mapping[str, Any]], None] = lambda _: None
        self.hears = True

    async def run(self, on_serving: Callable[[], None], take_report: Callable[[Mapping[str, Any]], None]) -> int:
        self.take_report = take_report
        return await self.over

    async def wait_for(self, is_so: Callable[[], bool]) -> None:
        while not is_so():  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.001)

    async def flush(self) -> None:
        await asyncio.sleep(0 if self.hears else 600)

    def send(self, kind: str, **fields: Any) -> None:
        self.heard.append((kind, fields))


@pytest.fixture
def places() -> Mock:
    return Mock()


@pytest.fixture
def tally() -> Mock:
    return Mock()


@pytest.fixture
def children(places: Mock, tally: Mock) -> Children:
    return Children(places, 3, tally)


def hear(children: Children) -> Any:
    child = StandIn()
    children.hear(child, lambda: None)
    return child


async def test_one_that_is_gone_is_forgotten_and_those_above_are_told(
    children: Children, places: Mock, tally: Mock
) -> None:
    child = hear(children)
    assert child in children
    child.over.set_result(0)
    await children.wait_for_ends()
    assert len(children) == 0
    assert children.find_end(child) is None
    tally.end.assert_called_once_with(child)
    places.note_end.assert_called_once_with(3, child)


async def test_report_goes_to_whom_it_concerns(children: Children, places: Mock, tally: Mock) -> None:
    child = hear(children)
    await asyncio.sleep(0)
    for kind in ("figures", "imported", "prepared"):
        child.take_report({"kind": kind})
    child.take_report({"kind": "used_header", "header": "a"})
    child.take_report({"kind": "claim_header", "header": "b"})
    tally.note.assert_called_once_with(child, {"kind": "figures"})
    places.note_imported.assert_called_once_with(3, child)
    places.note_prepared.assert_called_once_with(3, child)
    places.note_used_header.assert_called_once_with(child, "a")
    places.claim_header.assert_called_once_with(child, "b")


async def test_all_but_one_are_told(children: Children) -> None:
    one, other = hear(children), hear(children)
    children.tell("used_header", but=one, header="a")
    children.tell("stop")
    assert one.heard == [("stop", {})]
    assert other.heard == [("used_header", {"header": "a"}), ("stop", {})]


async def test_end_is_waited_for_until_something_else_is_so(children: Children) -> None:
    child = hear(children)
    await children.wait_for_end(child, or_until=lambda: True)
    assert child in children
    child.over.set_exception(ValueError("a fault"))
    with pytest.raises(ValueError, match="a fault"):
        await children.wait_for_end(child, or_until=lambda: False)
    await children.wait_for_end(child, or_until=lambda: False)


async def test_one_that_hears_nothing_is_no_ground_for_a_hand_over(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = hear(children)
    await children.flush()
    monkeypatch.setattr(children_module, "FLUSH_LIMIT", 0.01)
    child.hears = False
    with pytest.raises(HandOverFailed, match="hears nothing"):
        await children.flush()


async def test_who_can_be_heard_on_is_told_apart_from_who_has_just_ended(
    children: Children, places: Mock, tally: Mock
) -> None:
    stays, ends = hear(children), hear(children)
    await asyncio.sleep(0)
    ends.over.set_result(1)
    await asyncio.sleep(0)
    assert await children.stop_hearing() == [stays]
    tally.end.assert_called_once_with(ends)
    places.note_end.assert_called_once_with(3, ends)
