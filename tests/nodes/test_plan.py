"""Who answers other nodes, and with which secrets."""

from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError
from awxfast.nodes.awx_settings import NodeSettings
from awxfast.nodes.mesh import NoNodes
from awxfast.nodes.plan import NodePlan
from awxfast.settings import Settings

SITE = "site:application"


def plan(*, has_layer: bool = True, secret: str = "", group: str = "g", **settings: object) -> NodePlan:
    return NodePlan.make(Settings(**settings), NodeSettings(secret, group), has_layer=has_layer)  # type: ignore[arg-type]


class TestWhoAnswers:
    def test_native_mode_answers_itself_without_a_secret_too(self) -> None:
        assert plan().answers == "native"
        assert plan().make_gate() is None
        assert plan().announce_in is None

    def test_application_answers_unless_its_settings_have_a_secret(self) -> None:
        assert plan(application=SITE).answers == "application"
        known = plan(application=SITE, secret="s")
        assert (known.answers, known.announce_in, known.barred_group) == ("native", "g", "g")

    def test_application_without_a_layer_answers_itself(self) -> None:
        assert plan(application=SITE, secret="s", has_layer=False).answers == "application"

    def test_native_beside_an_application_needs_its_layer(self) -> None:
        with pytest.raises(ConfigurationError, match="--node-endpoints native: the application has no channel layer"):
            plan(application=SITE, node_endpoints="native", has_layer=False)

    @pytest.mark.parametrize("answers", ["application", "off"])
    def test_option_wins_over_a_secret(self, answers: str) -> None:
        other = plan(application=SITE, secret="s", node_endpoints=answers)
        assert (other.answers, other.announce_in, other.barred_group) == (answers, None, None)

    def test_off_stands_on_the_nodes_paths(self) -> None:
        closed = NoNodes(plan(node_endpoints="off")).endpoint
        assert closed is not None
        assert closed.owns("/websocket/relay/")
        assert not closed.owns("/websocket/")
        assert NoNodes(plan(application=SITE)).endpoint is None


class TestSecrets:
    def test_file_wins_over_the_applications(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text("f\n")
        assert plan(application=SITE, secret="s", secret_files=(str(file),)).secrets == ("f",)

    def test_variable_wins_over_the_applications(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWXFAST_SECRET", "e")
        assert plan(application=SITE, secret="s").secrets == ("e",)

    def test_nothing_that_is_printed_holds_one(self) -> None:
        assert "of all nodes" not in repr(plan(application=SITE, secret="of all nodes"))
