"""How long to wait before the next try."""

import pytest
from awxfast.pauses import Pauses


class TestPauses:
    def test_double_up_to_the_longest(self) -> None:
        pauses = Pauses(0.05, 2.0, rng=lambda: 0.0)
        assert [pauses.take() for _ in range(8)] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]

    def test_are_shortened_by_up_to_a_half(self) -> None:
        assert Pauses(0.05, 2.0, rng=lambda: 0.999_999).take() == pytest.approx(0.025, rel=1e-3)
        pauses = Pauses(0.05, 2.0)
        assert all(0.025 <= pauses.take() <= 2.0 for _ in range(50))

    def test_begin_again_after_a_success(self) -> None:
        pauses = Pauses(0.1, 5.0, rng=lambda: 0.0)
        for _ in range(10):
            pauses.take()
        pauses.begin_again()
        assert [pauses.take(), pauses.take()] == [0.1, 0.2]
