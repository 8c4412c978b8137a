"""A process that takes events, as a publisher knows it: what it wants, and how much of that is to be published."""

import dataclasses
from collections.abc import Collection, Iterable, Sequence


@dataclasses.dataclass(slots=True)
class KnownTaker:
    """`version` None: what it wants is not known for sure.

    `counts`: whether it has another Redis than this publisher, so that its groups are to be published.
    """

    who: str
    node: str
    redis: str
    heard_at: float
    counts: bool
    version: int | None = None
    refused: int = 0
    """Groups that found no room since its last list."""
    asked_at: float = float("-inf")
    listing: tuple[int, int] = (-1, 0)
    """Version and parts of the list that comes at present."""
    missing: int = 0
    """The parts that have not come, a bit for each."""
    named: set[str] = dataclasses.field(default_factory=set)
    """The groups of those that have."""
    counted: set[str] = dataclasses.field(default_factory=set)
    """Groups that are published for it, or are still to be left."""
    uncounted: set[str] = dataclasses.field(default_factory=set)
    """The others that it wants."""

    def __len__(self) -> int:
        return len(self.counted) + len(self.uncounted)

    def __contains__(self, group: object) -> bool:
        return group in self.counted or group in self.uncounted

    @property
    def groups(self) -> set[str]:
        """All that it wants."""
        return self.counted | self.uncounted

    @property
    def is_settled(self) -> bool:
        """Whether all its groups are on the side that `counts` says."""
        return not (self.uncounted if self.counts else self.counted)

    def add(self, groups: Iterable[str]) -> None:
        """It wants these, too."""
        (self.counted if self.counts else self.uncounted).update(groups)

    def remove(self, groups: Collection[str]) -> Collection[str]:
        """It wants these no more; those that were counted."""
        counted = self.counted.intersection(groups)
        self.counted.difference_update(groups)
        self.uncounted.difference_update(groups)
        return counted

    def turn(self, most: int) -> Sequence[str]:
        """Moves so many at most to the side that `counts` says; which they are."""
        source, target = (self.uncounted, self.counted) if self.counts else (self.counted, self.uncounted)
        moved = [source.pop() for _ in range(min(most, len(source)))]
        target.update(moved)
        return moved
