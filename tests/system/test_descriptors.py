"""Open descriptors are counted alike by every kernel, and nobody waits for a list of them."""

import os
from collections.abc import Iterator

import pytest
from awxfast.system import descriptors
from awxfast.system.descriptors import OpenDescriptors
from serving import until

MANY = 100


@pytest.fixture
def many() -> Iterator[list[int]]:
    opened = [os.dup(0) for _ in range(MANY)]
    yield opened
    for descriptor in opened:
        os.close(descriptor)


@pytest.mark.parametrize("tells", [True, False], ids=["since Linux 6.2", "before"])
async def test_those_that_were_opened_since_are_counted(
    tells: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not tells:
        monkeypatch.setattr(descriptors, "read_count", lambda: 0)
    counted = OpenDescriptors()
    before = counted.count()
    assert before > 0
    request.getfixturevalue("many")
    await until(lambda: MANY <= counted.count() - before <= MANY + 10)  # others may open some


async def test_whoever_asks_gets_the_last_count_while_a_thread_lists_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "read_count", lambda: 0)
    monkeypatch.setattr(descriptors, "list_count", lambda: 17)
    counted = OpenDescriptors()
    monkeypatch.setattr(descriptors, "list_count", lambda: 18)
    assert counted.count() == 17
    await until(lambda: counted.count() == 18)
