"""A table that several processes see: who writes what, and that a process that is gone leaves nothing."""

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from awxfast.system.shares import ROW_BYTES, Shares

OTHER = """
import sys
from awxfast.system.shares import Shares

shares = Shares.open(int(sys.argv[1]), 1, generation=3)
shares.begin(7)
shares.own.websockets, shares.own.load, shares.own.accepted = 5, 6, (1 << 64) - 1
print(shares.rows[0].websockets, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def shares() -> Iterator[Shares]:
    one = Shares.create(2)
    yield one
    one.close()


def open_first(shares: Shares) -> Shares:
    return Shares.open(os.dup(shares.descriptor), 0)


class TestTable:
    def test_other_process_sees_what_one_writes_and_the_other_way_round(self, shares: Shares) -> None:
        first = open_first(shares)
        first.begin(1)
        first.own.websockets = 41
        other = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(shares.descriptor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[shares.descriptor],
        )
        assert other.stdout is not None
        assert other.stdout.readline() == b"41\n"
        (row,) = first.others
        assert (row.pid, row.generation, row.looked_at) == (other.pid, 3, 7)
        assert (row.websockets, row.load, row.accepted) == (5, 6, (1 << 64) - 1)
        other.communicate()
        first.close()

    def test_words_of_a_row_share_a_cache_line_with_no_other_rows(self, shares: Shares) -> None:
        assert ROW_BYTES % 64 == 0
        assert os.fstat(shares.descriptor).st_size == 2 * ROW_BYTES

    def test_memory_stays_as_long_as_it_is(self, shares: Shares) -> None:
        """Whoever has it mapped would be ended by SIGBUS."""
        with pytest.raises(PermissionError):
            os.ftruncate(shares.descriptor, mmap.PAGESIZE)

    def test_further_programs_inherit_nothing_of_it(self, shares: Shares) -> None:
        first = open_first(shares)
        assert not os.get_inheritable(shares.descriptor)
        assert not os.get_inheritable(first.descriptor)
        first.close()


class TestWhoHasARow:
    def test_it_is_nobodys_before_somebody_listens(self, shares: Shares) -> None:
        first = open_first(shares)
        assert (first.is_mine, first.own.listens, first.own.pid) == (False, False, 0)
        first.close()

    def test_one_that_listens_has_it_until_it_does_not(self, shares: Shares) -> None:
        first = open_first(shares)
        first.begin(1)
        assert (first.is_mine, first.own.listens, first.own.pid) == (True, True, os.getpid())
        first.own.websockets = 3
        first.end()
        assert (first.is_mine, first.own.listens) == (False, False)
        assert first.own.websockets == 3
        first.close()

    def test_one_that_left_its_row_to_another_changes_nothing_there(self, shares: Shares) -> None:
        old, heir = open_first(shares), open_first(shares)
        old.begin(1)
        old.end()
        heir.begin(2)
        old.end()
        assert heir.own.looked_at == 2
        old.close()
        heir.close()

    def test_successor_counts_on_what_is_counted_for_ever(self, shares: Shares) -> None:
        old, heir = open_first(shares), open_first(shares)
        old.begin(1)
        old.own.accepted = old.own.admitted = old.own.websockets = 9
        heir.begin(2)
        assert (heir.own.accepted, heir.own.admitted, heir.own.websockets) == (9, 9, 0)
        old.close()
        heir.close()

    def test_main_clears_the_row_of_a_process_that_is_gone(self, shares: Shares) -> None:
        first = open_first(shares)
        first.begin(1)
        first.own.websockets = first.own.load = 3
        shares.clear(0, os.getpid())
        row = shares.rows[0]
        assert (row.pid, row.listens, row.websockets, row.load) == (0, False, 0, 0)
        first.close()

    def test_row_that_another_process_has_by_now_is_not_cleared(self, shares: Shares) -> None:
        first = open_first(shares)
        first.begin(1)
        shares.clear(0, os.getpid() + 1)
        assert shares.rows[0].listens
        first.close()
