"""What Django's settings say about other nodes, as AWX names it."""

import pytest
from awxfast.nodes.awx_settings import NodeSettings, read_node_settings
from django.test import override_settings


@pytest.mark.usefixtures("django_settings")
class TestNodeSettings:
    def test_awxs_names_are_read(self) -> None:
        with override_settings(BROADCAST_WEBSOCKET_SECRET="s", BROADCAST_WEBSOCKET_GROUP_NAME="other-group"):
            assert read_node_settings() == NodeSettings("s", "other-group")

    def test_what_is_absent_or_empty_is_awxs_default(self) -> None:
        assert read_node_settings() == NodeSettings("", "broadcast-group_send")
        with override_settings(BROADCAST_WEBSOCKET_SECRET="", BROADCAST_WEBSOCKET_GROUP_NAME=""):
            assert read_node_settings() == NodeSettings("", "broadcast-group_send")

    def test_secret_is_not_shown(self) -> None:
        assert "of all nodes" not in repr(NodeSettings("of all nodes"))
