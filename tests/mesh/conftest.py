"""Meshes for each test; all of them end with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from meshes import Mesh
from nats_servers import start_nats  # noqa: F401  a fixture
from redis_cluster import cluster, own_cluster  # noqa: F401  fixtures


@pytest.fixture
async def start_mesh(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Mesh]]]:
    """`await start_mesh(era, "server dialler", ...)`: one node for each pair of kinds, `stock` or `awxfast`."""
    started: list[Mesh] = []

    async def start(era: str, *kinds: str, dialler_era: str | None = None) -> Mesh:
        started.append(Mesh(tmp_path, era, *kinds, dialler_era=dialler_era))
        await started[-1].start()
        return started[-1]

    yield start
    for mesh in started:
        await mesh.close()
