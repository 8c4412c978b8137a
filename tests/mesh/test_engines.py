"""Three nodes with a Redis, a server and a dialler each, and an engine between them: each event once, or counted."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from engine_meshes import EngineMesh
from nats_servers import NatsServer

EVENTS = 100
StartMesh = Callable[..., Awaitable[EngineMesh]]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    server = NatsServer(tmp_path, "nats")
    server.start()
    yield f"nats://{server.place}"
    server.kill()


@pytest.fixture
async def start_mesh(tmp_path: Path, engine: str) -> AsyncIterator[StartMesh]:
    """`await start_mesh(linked=True)`: another mesh, which ends with the test."""
    started: list[EngineMesh] = []

    async def start(*, linked: bool = False, count: int = 3) -> EngineMesh:
        started.append(EngineMesh(tmp_path, engine, count, linked=linked))
        await started[-1].start()
        return started[-1]

    yield start
    for mesh in started:
        await mesh.close()


@pytest.mark.parametrize("linked", [False, True], ids=["alone", "with links"])
async def test_every_event_reaches_every_browser_once(start_mesh: StartMesh, linked: bool) -> None:
    mesh = await start_mesh(linked=linked)
    await mesh.send(EVENTS)
    await mesh.assert_each_once(EVENTS)
    for ledger in await mesh.ledgers():
        assert (ledger["balance"], ledger["gaps"]) == ({"events": 0, "frames": 0}, {})
        assert ledger["engine"]["events"]["taken"] >= 2 * EVENTS
