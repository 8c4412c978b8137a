"""Projects that end with the test."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django_project import Project
from redis_servers import RedisServer


@pytest.fixture
def project(tmp_path: Path, redis_server: RedisServer) -> Iterator[Callable[..., Project]]:
    """Copies the project, with environment variables of the test's choice."""
    projects: list[Project] = []

    def copy(**environ: str) -> Project:
        projects.append(Project(tmp_path, SITE_REDIS=redis_server.url, **environ))
        return projects[-1]

    yield copy
    for one in projects:
        if one.process is not None:
            one.stop(signal.SIGKILL)
