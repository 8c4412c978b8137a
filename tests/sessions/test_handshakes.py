"""What became of requests: exact counts, few lines."""

import pytest
from awxfast.sessions.handshakes import Handshakes


class TestHandshakes:
    def test_everything_is_counted_by_result_and_reason(self) -> None:
        handshakes = Handshakes()
        handshakes.accept("known")
        for _ in range(3):
            handshakes.refuse("path", "no such path")
        assert handshakes.counts == {("accepted", "known"): 1, ("refused", "path"): 3}

    def test_one_line_a_reason_and_ten_seconds_with_the_number_of_silent_ones(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        time = [0.0]
        handshakes = Handshakes(lambda: time[0])
        for _ in range(3):
            handshakes.refuse("path", "no such path")
        handshakes.refuse("key", "no key")
        time[0] = 10.0
        handshakes.refuse("path", "no such path either")
        assert caplog.messages == [
            "refused a request: no such path",
            "refused a request: no key",
            "refused a request: no such path either (2 more like it since the last line)",
        ]
