"""The era of a peer changes on answers that mean an unknown path, and on no other."""

import pytest
from awxfast.broadcast.era import Era, EraChoice


class TestEraChoice:
    def test_relay_is_tried_first(self) -> None:
        assert EraChoice(None).current is Era.RELAY

    @pytest.mark.parametrize("status", [404, 500])
    def test_unknown_path_means_the_other_era(self, status: int) -> None:
        choice = EraChoice(None)
        assert choice.change_after(status)
        assert choice.current is Era.BROADCAST
        assert choice.change_after(status)
        assert choice.current is Era.RELAY

    @pytest.mark.parametrize("status", [0, 301, 400, 401, 403, 426, 502, 503])
    def test_nothing_else_does(self, status: int) -> None:
        choice = EraChoice(None)
        assert not choice.change_after(status)
        assert choice.current is Era.RELAY

    def test_fixed_era_stays(self) -> None:
        choice = EraChoice(Era.BROADCAST)
        assert not choice.change_after(404)
        assert choice.current is Era.BROADCAST

    def test_paths_are_awxs(self) -> None:
        assert (Era.RELAY.value, Era.BROADCAST.value) == ("/websocket/relay/", "/websocket/broadcast/")
