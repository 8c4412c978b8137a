"""One string for each group, however many want it: each notice brings strings of its own."""

from collections.abc import Iterable


class SharedNames:
    """Counts who keeps each name."""

    def __init__(self) -> None:
        self._kept: dict[str, _Name] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, names: Iterable[str], most: int) -> list[str]:
        """Those that are known or find room among so many different ones, as the strings that all share."""
        shared = []
        for name in names:
            kept = self._kept.get(name)
            if kept is None:
                if len(self._kept) >= most:
                    continue
                kept = self._kept[name] = _Name(name)
            kept.count += 1
            shared.append(kept.name)
        return shared

    def find(self, names: Iterable[str]) -> Iterable[str]:
        """Those of them that somebody keeps, likewise."""
        return (kept.name for name in names if (kept := self._kept.get(name)) is not None)

    def leave(self, names: Iterable[str]) -> None:
        """One less keeps each."""
        for name in names:
            kept = self._kept[name]
            kept.count -= 1
            if not kept.count:
                del self._kept[name]


class _Name:
    __slots__ = ("count", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
