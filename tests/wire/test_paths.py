"""Which paths are whose in native mode."""

import pytest
from awxfast.wire.paths import Endpoint, Paths


class TestNativePaths:
    @pytest.mark.parametrize("path", ["/websocket/", "/api/websocket/", "/api/controller/v2/websocket/"])
    def test_browsers_have_three_paths(self, path: str) -> None:
        assert Paths().find(path) is Endpoint.BROWSER

    @pytest.mark.parametrize(
        ("path", "endpoint"), [("/websocket/broadcast/", Endpoint.BROADCAST), ("/websocket/relay/", Endpoint.RELAY)]
    )
    def test_nodes_have_a_path_an_era(self, path: str, endpoint: Endpoint) -> None:
        assert Paths().find(path) is endpoint
        assert endpoint.is_node
        assert not Endpoint.BROWSER.is_node

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/websocket",
            "/x/websocket/",
            "/websocket/x",
            "/websocket//",
            "/websocket/\n",
            "/Websocket/",
            "/api/v2/websocket/",
            "/api/a/b/v2/websocket/",
            "/api//v2/websocket/",
            "/api/websocket/relay/",
            "/websocket/broadcast",
        ],
    )
    def test_all_else_is_nobodys(self, path: str) -> None:
        assert Paths().find(path) is None


class TestConfiguredPaths:
    def test_a_given_prefix_is_the_only_one(self) -> None:
        paths = Paths(prefix="/controller/")
        assert paths.find("/api/controller/v2/websocket/") is Endpoint.BROWSER
        assert paths.find("/api/other/v2/websocket/") is None

    @pytest.mark.parametrize("path", ["/awx/websocket/", "/websocket/"])
    def test_a_root_path_may_be_there_or_stripped_by_the_proxy(self, path: str) -> None:
        assert Paths(root_path="/awx").find(path) is Endpoint.BROWSER

    def test_another_mount_is_nobodys(self) -> None:
        assert Paths(root_path="/awx").find("/awy/websocket/") is None
