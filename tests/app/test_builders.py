"""What a relay is built with."""

import pytest
from awxfast.app import builders
from awxfast.app.builders import find_layer_of_application, reply_bound
from awxfast.errors import ConfigurationError
from awxfast.hosted.configured_layer import StockLayer
from awxfast.settings import Settings


class TestReplyBound:
    def test_it_is_256_kib_and_grows_with_what_one_reply_may_name(self) -> None:
        assert reply_bound(Settings()) == 262_144
        assert reply_bound(Settings(max_groups=10)) == 262_144
        assert reply_bound(Settings(max_groups=4000)) == 4 * 262_144


class TestLayerOfApplication:
    def test_option_that_names_another_form_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = StockLayer("default", {}, (), "core")
        monkeypatch.setattr(builders, "find_stock_layer", lambda: found)
        with pytest.raises(ConfigurationError, match="--layer lists: the application's is core; leave it out"):
            find_layer_of_application(Settings(layer="lists", layer_options=("layer",)))
        assert find_layer_of_application(Settings(layer="core", layer_options=("layer",))) is found
