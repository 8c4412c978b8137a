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

    def test_a_refusal_is_logged_by_its_reason(self, caplog: pytest.LogCaptureFixture) -> None:
        handshakes = Handshakes()
        for reason in ("path", "path", "key"):
            handshakes.refuse(reason, f"no such {reason}")
        assert caplog.messages == ["refused a request: no such path", "refused a request: no such key"]
