"""What workloads between nodes have alike: a name, the kinds that run it, and how long."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Timed:
    """`seconds` of it are measured, after `warm_up` seconds."""

    name: str
    title: str
    kinds: tuple[str, ...]
    seconds: float
    warm_up: float = 0

    def shortened(self, seconds: float) -> Self:
        return replace(self, seconds=min(self.seconds, seconds), warm_up=min(self.warm_up, seconds / 4))

    def among(self, kinds: Sequence[str]) -> Self:
        return replace(self, kinds=tuple(kind for kind in self.kinds if kind in kinds))
