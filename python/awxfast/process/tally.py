"""What serving processes have told of themselves, and what is left of those that are gone: each count stands once.

A process that takes another one's place may count on from what that had counted. From the moment when it says so
(`inherited`) that part of the other one's counts is dropped here; the other one, which goes on for a time, tells only
what is new since then (`has_left`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.operate.counts import Counts, add_counts
from awxfast.operate.snapshot import sum_peers
from awxfast.process.child_handle import ChildHandle


class Told:
    """What one process has told last, before and after it left its counts to another one."""

    def __init__(self, heir_of: "Told | None" = None) -> None:
        self.heir_of = heir_of
        """Whose counts may be among its own, until it tells for the first time, or is gone without."""
        self.is_superseded = False
        """Whether another process tells what this one had counted before it left."""
        self.before: Mapping[str, Any] | None = None
        self.after: Mapping[str, Any] | None = None

    @classmethod
    def adopt(cls, is_superseded: bool, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> "Told":
        """What main's former program knew of it."""
        told = cls()
        told.is_superseded, told.before, told.after = is_superseded, before, after
        return told

    def note(self, snapshot: Mapping[str, Any]) -> None:
        """It tells this. What it says that it had counted is not news where another one tells it, too."""
        if snapshot["has_left"]:
            self.after = snapshot
        elif not self.is_superseded:
            self.before = snapshot

    @property
    def _current(self) -> Mapping[str, Any] | None:
        """What it has told last of what nobody else tells."""
        return self.after if self.is_superseded else self.before

    @property
    def present(self) -> Mapping[str, Any] | None:
        """What is so there; None: nothing is known."""
        told = self._current
        present: Mapping[str, Any] | None = told["present"] if told is not None else None
        return present

    def sum(self) -> Counts:
        """All that it has counted and that nobody else tells."""
        last, told = self.after or self.before, self._current
        counted: Counts = {**last["own"]} if last is not None else {}
        return {**counted, **told["counted"]} if told is not None else counted

    def sum_up(self) -> Counts:
        """The same, when it is gone: what waited is lost, and its nodes are shown no more."""
        present = self.present
        if present is None:
            return self.sum()
        ended = {"frames": {"lost_at_close": present["pending"]}, "gone_peers": sum_peers(present["peers"])}
        total: Counts = add_counts(self.sum(), ended)
        return total


class Tally:
    """The processes of one place, one after the other, and those beside it that drain."""

    def __init__(self) -> None:
        self._gone: Counts = {}
        self._told: dict[ChildHandle, Told] = {}
        self._awaiting: list[Told] = []
        """Of processes that have ended, while it is open whether another one tells their counts, too."""

    def begin(self, child: ChildHandle, heir_of: ChildHandle | None = None) -> None:
        """It was started. `heir_of`: to take that one's place."""
        self._told[child] = Told(self._told[heir_of] if heir_of is not None else None)

    def note(self, child: ChildHandle, snapshot: Mapping[str, Any]) -> None:
        """Takes down what it tells of itself."""
        told = self._told[child]
        told.note(snapshot)
        if told.heir_of is not None:
            told.heir_of.is_superseded |= snapshot["inherited"]
            told.heir_of = None
            self._sum_up()

    def end(self, child: ChildHandle) -> None:
        """Its counts stay when it is gone."""
        told = self._told.pop(child)
        told.heir_of = None
        self._awaiting.append(told)
        self._sum_up()

    def _sum_up(self) -> None:
        left = [told.heir_of for told in self._told.values()]
        for told in [told for told in self._awaiting if told not in left]:
            self._gone = add_counts(self._gone, told.sum_up())
            self._awaiting.remove(told)

    def has_told(self, child: ChildHandle) -> bool:
        """Whether it can be asked."""
        return child in self._told and self._told[child].before is not None

    def sum(self) -> Counts:
        """All that was counted."""
        total = self._gone
        for told in (*self._told.values(), *self._awaiting):
            total = add_counts(total, told.sum())
        return total

    def list_present(self, child: ChildHandle | None) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """What is so in `child`, if that has told anything, and in all others."""
        known = {one: told.present for one, told in self._told.items() if told.present is not None}
        own = [known.pop(child)] if child in known else []
        gone = [told.present for told in self._awaiting if told.present is not None]
        return own, [*known.values(), *gone]

    # From one program of main to the next

    def freeze(self, children: Sequence[ChildHandle]) -> dict[str, Any]:
        """What `adopt` needs, as JSON has it. Nobody is about to take a place."""
        told = [*(self._told[child] for child in children), *self._awaiting]
        return {
            "gone": self._gone,
            "told": [[one.is_superseded, one.before, one.after] for one in told],
            "heirs": [[told.index(one), told.index(one.heir_of)] for one in told if one.heir_of in told],
        }

    def adopt(self, frozen: Mapping[str, Any], children: Sequence[ChildHandle]) -> None:
        """The same children, in main's next program."""
        self._gone = frozen["gone"]
        told = [Told.adopt(*one) for one in frozen["told"]]
        for heir, former in frozen.get("heirs", []):
            told[heir].heir_of = told[former]
        self._told = dict(zip(children, told, strict=False))
        self._awaiting = told[len(children) :]
