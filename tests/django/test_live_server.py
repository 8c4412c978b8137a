"""A project's own tests on Channels' live server, with awxfast in daphne's place."""

from collections.abc import Callable

from django_project import Project
from redis_servers import RedisServer


class TestLiveServer:
    def test_channels_test_case_runs_on_it(self, project: Callable[..., Project], redis_server: RedisServer) -> None:
        done = project().manage("test", "live_tests")
        assert done.returncode == 0, done.stderr
        assert "Ran 3 tests" in done.stderr
        assert redis_server.client().keys("*") == []
