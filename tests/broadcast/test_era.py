"""The era of a peer changes on answers that mean an unknown path, and on no other."""

import pytest
from awxfast.broadcast.era import Era, EraChoice


class TestEraChoice:
    def test_relay_is_tried_first(self) -> None:
        assert EraChoice(None).current is Era.RELAY

    @pytest.mark.parametrize("failure", ["http_404", "http_500"])
    def test_unknown_path_means_the_other_era(self, failure: str) -> None:
        choice = EraChoice(None)
        assert choice.change_after(failure)
        choice.note_failure()
        assert choice.current is Era.BROADCAST
        assert choice.change_after(failure)
        assert choice.current is Era.RELAY

    @pytest.mark.parametrize("failure", ["hung_up", "http_502"])
    def test_peer_that_is_cut_off_is_tried_in_the_other_era_and_believed_only_when_it_links(self, failure: str) -> None:
        choice = EraChoice(None)
        assert choice.change_after(failure)
        assert choice.current is Era.BROADCAST
        choice.note_failure()
        assert choice.current is Era.RELAY
        choice.change_after(failure)
        choice.note_link()
        choice.note_failure()
        assert choice.current is Era.BROADCAST

    @pytest.mark.parametrize("failure", ["timeout", "unreachable", "refused", "redirected", "http_426", "http_503"])
    def test_nothing_else_does(self, failure: str) -> None:
        choice = EraChoice(None)
        assert not choice.change_after(failure)
        assert choice.current is Era.RELAY

    def test_fixed_era_stays(self) -> None:
        choice = EraChoice(Era.BROADCAST)
        assert not choice.change_after("http_404")
        assert choice.current is Era.BROADCAST

    def test_paths_are_awxs(self) -> None:
        assert (Era.RELAY.value, Era.BROADCAST.value) == ("/websocket/relay/", "/websocket/broadcast/")
