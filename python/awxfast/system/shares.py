"""What each of several serving processes has on its hands, in memory that all of them and main see.

Nobody locks it, so nobody who is stopped or dies holds anybody up. That is sound because
- a row is written by one process at a time: the one that listens under its number. One that leaves its place to another
  ends before that begins, and admits nobody then; main clears a row when its process is gone;
- a word is 64 bits at an address that is a multiple of eight, which the machine writes and reads as one, and no two
  words have to fit each other: whoever reads takes each as an estimate of a moment ago, and acts on it once;
- what must not be given away twice is written down first, and counted after that: two who do so at the same moment both
  see it, so that at worst neither has it.
"""

import fcntl
import mmap
import os
from collections.abc import Sequence

WORD = 8
ROW_WORDS = 8
ROW_BYTES = ROW_WORDS * WORD
"""A line of the processor's cache, so that nobody waits for others who write to their own."""
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
"""The memory stays as long as it is: what is mapped can always be read."""


class Word:
    """One of a row."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __get__(self, row: "Row", _: object) -> int:
        value: int = row.words[self._place]
        return value

    def __set__(self, row: "Row", value: int) -> None:
        row.words[self._place] = value


class Row:
    """What one process tells the others."""

    pid = Word(0)
    """0: nobody serves there."""
    generation = Word(1)
    websockets = Word(2)
    """What counts under `--max-clients`: browsers that are there, or about to be."""
    load = Word(3)
    """How much it has on its hands, in the words of those who divide it (`http/fair_share`)."""
    looked_at = Word(4)
    """When its loop last looked at the table, by the monotonic clock in nanoseconds; 0: it does not listen."""
    accepted = Word(5)
    """Connections ever, whoever had the row."""
    admitted = Word(6)
    """Handshakes that counted under `--accept-rate`, less those that came to nothing; the same."""
    asks = Word(7)
    """1: it is about to admit one more under `--accept-rate`, or not to."""

    def __init__(self, words: memoryview) -> None:
        self.words = words

    @property
    def listens(self) -> bool:
        """Whether its process accepts connections."""
        return self.looked_at != 0


class Shares:
    """The table, one row a worker. `number`: the row that this process writes; None: it is main's."""

    def __init__(self, descriptor: int, number: int | None = None, generation: int = 0) -> None:
        self.descriptor = descriptor
        self._generation = generation
        self._memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        self._bytes = memoryview(self._memory)
        self._words = self._bytes.cast("Q")
        count = len(self._words) // ROW_WORDS
        self.rows: Sequence[Row] = [
            Row(self._words[start : start + ROW_WORDS]) for start in range(0, count * ROW_WORDS, ROW_WORDS)
        ]
        self._number = number
        self._others = [row for place, row in enumerate(self.rows) if place != number]
        self._is_mine = False
        self.pid = 0
        """Who has begun here: to be said again with all else, since main may clear a row that another has just got."""

    @classmethod
    def create(cls, count: int) -> "Shares":
        """Main's, for so many workers, who inherit the descriptor."""
        descriptor = os.memfd_create("awxfast-workers", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, count * ROW_BYTES)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
        return cls(descriptor)

    @classmethod
    def open(cls, descriptor: int, number: int | None = None, generation: int = 0) -> "Shares":
        """A worker's, which has inherited it; or that of main's next program. It is this one's to close."""
        os.set_inheritable(descriptor, False)
        return cls(descriptor, number, generation)

    @property
    def number(self) -> int:
        """The row of this process, as its number."""
        assert self._number is not None
        return self._number

    @property
    def own(self) -> Row:
        """The row of this process."""
        return self.rows[self.number]

    @property
    def others(self) -> Sequence[Row]:
        """All rows but this process's own."""
        return self._others

    @property
    def is_mine(self) -> bool:
        """Whether this process listens: it says in its row all that there is."""
        return self._is_mine

    @property
    def speaks_for_this(self) -> bool:
        """Whether what is counted in its row is this process's: it listens, or has ended and nobody has begun there."""
        return self._is_mine or (self.pid != 0 and self.own.pid == self.pid)

    @property
    def foreign(self) -> Sequence[Row]:
        """All rows that say what other processes have."""
        return self._others if self.speaks_for_this else self.rows

    def begin(self, now: int) -> None:
        """It listens from now on. Who had the row before has ended, or is gone."""
        own = self.own
        own.pid = self.pid = os.getpid()
        own.websockets = own.load = own.asks = 0
        own.generation = self._generation
        own.looked_at = now
        self._is_mine = True

    def end(self) -> None:
        """It listens no more. What it has counts until another process has the row, and whom it still admits, too."""
        if self._is_mine:
            self._is_mine = False
            self.own.looked_at = 0

    def clear(self, number: int, pid: int) -> None:
        """Main's word that a process is gone; nothing where another has its row by now.

        One that begins between the look and the writing says anew what is its own, next time it tells of it.
        """
        row = self.rows[number]
        if row.pid == pid:
            row.pid = row.looked_at = row.websockets = row.load = row.asks = 0

    def close(self) -> None:
        """It can't be used any more."""
        for row in self.rows:
            row.words.release()
        self._words.release()
        self._bytes.release()
        self._memory.close()
        os.close(self.descriptor)
