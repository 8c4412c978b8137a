"""Who joins groups for a peer, and what the peer says that it wants."""

import asyncio
from collections.abc import Iterable

from awxfast.wire.backplane import Notice


class Holder:
    """Joins that wait until the test lets them."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.released: list[str] = []
        self.answers = asyncio.Event()

    async def hold(self, groups: Iterable[str]) -> None:
        (group,) = groups
        self.held.append(group)
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self.released.append(group)
            raise

    def hold_inherited(self, groups: Iterable[str]) -> None:
        self.held.extend(groups)

    def release(self, groups: Iterable[str]) -> None:
        self.released += groups


def subscribe(*groups: str, origin: str = "a!1") -> Notice:
    return Notice(True, groups, origin)


def unsubscribe(*groups: str, origin: str = "a!1") -> Notice:
    return Notice(False, groups, origin)
