"""Browsers on the nodes of a mesh, which tell for each producer what came, in order, and what came twice."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from browsers import Browser, command, open_browser
from picows import WSMsgType


class Page:
    """A browser and the numbers of the events that it got, by producer and group."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.received: dict[tuple[int, str], list[int]] = defaultdict(list)
        browser.on_event = self.receive_event

    def receive_event(self, head: dict[str, Any]) -> None:
        self.received[head["producer"], head["group"]].append(head["number"])

    def numbers(self, producer: int) -> list[int]:
        """All that came from a producer, sorted; twice is twice."""
        return sorted(number for (maker, _), got in self.received.items() if maker == producer for number in got)

    def count(self, producer: int) -> int:
        """How many came from a producer, twice is two."""
        return sum(len(got) for (maker, _), got in self.received.items() if maker == producer)

    def last(self, producer: int, group: str) -> int:
        """The number that came last; -1 before the first."""
        got = self.received[producer, group]
        return got[-1] if got else -1

    def has(self, producer: int, group: str, number: int) -> bool:
        return self.last(producer, group) >= number

    def navigate(self, groups: Sequence[str]) -> None:
        """Subscribes again, as pages do when somebody clicks; the reply is not waited for."""
        self.browser.transport.send(WSMsgType.TEXT, command(groups).encode())

    def assert_in_order_and_whole(self) -> None:
        """Nothing twice, nothing before its predecessor, every byte as it was sent."""
        assert {key: got for key, got in self.received.items() if got != sorted(set(got))} == {}
        assert self.browser.altered == 0


async def open_page(url: str, groups: Sequence[str]) -> Page:
    return Page(await open_browser(url, groups))


async def close_pages(pages: Iterable[Page]) -> None:
    for page in pages:
        page.browser.transport.disconnect()
        await page.browser.gone.wait()
