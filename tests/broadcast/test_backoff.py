"""Pauses between dials: from 100 ms to 10 s, out of step with other nodes."""

import pytest
from awxfast.broadcast.backoff import Backoff


class TestBackoff:
    def test_pauses_double_up_to_ten_seconds(self) -> None:
        backoff = Backoff(rng=lambda: 0.0)
        pauses = [backoff.next_pause() for _ in range(9)]
        assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])

    def test_each_is_shortened_at_random(self) -> None:
        backoff = Backoff(rng=lambda: 1.0)
        assert [backoff.next_pause() for _ in range(3)] == pytest.approx([0.05, 0.1, 0.2])

    def test_one_that_is_refused_tries_about_once_in_ten_seconds(self) -> None:
        backoff = Backoff(rng=lambda: 1.0)
        assert min([backoff.next_pause() for _ in range(20)][8:]) > 9.7

    def test_link_that_lasted_starts_afresh(self) -> None:
        backoff = Backoff(rng=lambda: 0.0)
        for _ in range(5):
            backoff.next_pause()
        backoff.note_link(60.0)
        assert backoff.next_pause() == pytest.approx(0.1)

    def test_peer_that_drops_each_link_at_once_is_dialled_ever_less(self) -> None:
        backoff = Backoff(rng=lambda: 0.0)
        for _ in range(7):
            backoff.next_pause()
            backoff.note_link(0.01)
        assert backoff.next_pause() == pytest.approx(10.0)

    def test_peer_that_hangs_is_tried_as_often_as_others(self) -> None:
        backoff = Backoff(rng=lambda: 0.0)
        for _ in range(7):
            backoff.next_pause()
        assert backoff.next_pause(spent=9.0) == pytest.approx(1.0)
        assert backoff.next_pause(spent=30.0) == pytest.approx(0.05)
