"""Which paths are whose in native mode."""

import pytest
from awxfast.wire.paths import PathKind, Paths


class TestNativePaths:
    @pytest.mark.parametrize("path", ["/websocket/", "/api/websocket/", "/api/controller/v2/websocket/"])
    def test_browsers_have_three_paths(self, path: str) -> None:
        assert Paths().find(path) is PathKind.BROWSER
        assert not Paths().is_for_nodes(path)

    @pytest.mark.parametrize(
        ("path", "endpoint"), [("/websocket/broadcast/", PathKind.BROADCAST), ("/websocket/relay/", PathKind.RELAY)]
    )
    def test_nodes_have_a_path_an_era(self, path: str, endpoint: PathKind) -> None:
        assert Paths().find(path) is endpoint
        assert Paths().is_for_nodes(path)

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
        assert not Paths().is_for_nodes(path)


class TestConfiguredPaths:
    def test_a_given_prefix_is_the_only_one(self) -> None:
        paths = Paths(prefix="/controller/")
        assert paths.find("/api/controller/v2/websocket/") is PathKind.BROWSER
        assert paths.find("/api/other/v2/websocket/") is None

    @pytest.mark.parametrize("path", ["/awx/websocket/", "/websocket/"])
    def test_a_root_path_may_be_there_or_stripped_by_the_proxy(self, path: str) -> None:
        assert Paths(root_path="/awx").find(path) is PathKind.BROWSER

    def test_another_mount_is_nobodys(self) -> None:
        assert Paths(root_path="/awx").find("/awy/websocket/") is None
