"""What became of requests: exact counts, few lines."""

import pytest
from awxfast.http.outcomes import Outcomes


class TestOutcomes:
    def test_everything_is_counted_by_result_and_reason(self) -> None:
        handshakes = Outcomes()
        handshakes.accept("known")
        for _ in range(3):
            handshakes.refuse("path", "'/x/' from a", "There is nothing here.")
        assert handshakes.counts == {("accepted", "known"): 1, ("refused", "path"): 3}

    def test_each_kind_has_its_line_whatever_word_it_shares(self, caplog: pytest.LogCaptureFixture) -> None:
        handshakes = Outcomes()
        for peer, text in (("a", "Too fast."), ("b", "Too fast."), ("c", "Too many.")):
            handshakes.refuse("limit", f"'/x/' from {peer}", text)
        assert caplog.messages == ["refused (limit) '/x/' from a: Too fast.", "refused (limit) '/x/' from c: Too many."]

    def test_one_that_has_its_line_already_is_counted_only(self, caplog: pytest.LogCaptureFixture) -> None:
        handshakes = Outcomes()
        handshakes.refuse("secret", "", "This is for nodes.")
        assert handshakes.counts == {("refused", "secret"): 1}
        assert not caplog.messages
