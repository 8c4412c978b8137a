"""Three busy nodes that are in an engine, all or some: each event once to each browser, however they are linked."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_meshes import EngineMesh, ask_dialler
from layer_forms import LayerForm
from load import assert_nothing_is_lost
from producers import Producer

RATE = 1_000
"""Events a second of each node."""
BURST = 0.1
"""Seconds of a node's events that come together: AWX's receivers keep theirs for up to a second."""
SLOW = 300.0
"""Seconds after which producers that are to take one or sixty count as failed."""
SITES = {
    "all by the engine": {"linked": False, "without": 0},
    "links besides": {"linked": True, "without": 0},
    "one node by links alone": {"linked": True, "without": 1},
}
"""What a site has before, during and after it is moved to an engine."""


@pytest.fixture
def new_node_producer() -> Iterator[Callable[[list[str], int, int], Producer]]:
    """Makes a producer of so many events on a node's Redis."""
    made: list[Producer] = []

    def make(urls: list[str], producer: int, count: int) -> Producer:
        own = ("--own",) if LayerForm.chosen == "core" else ()
        made.append(Producer(urls, producer, count, "--rate", str(RATE), "--burst", str(BURST), *own))
        return made[-1]

    yield make
    for producer in made:
        producer.close()


@pytest.mark.timeout(SLOW + 100)
@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize(
    "seconds", [pytest.param(1, id="scaled"), pytest.param(60, id="in_full", marks=pytest.mark.long)]
)
async def test_every_event_of_three_busy_nodes_comes_once(
    tmp_path: Path, engine: str, new_node_producer: Callable[[list[str], int, int], Producer], site: str, seconds: int
) -> None:
    mesh = EngineMesh(tmp_path, engine, **SITES[site])  # type: ignore[arg-type]
    try:
        await mesh.start()
        producers = [new_node_producer(node.redis_urls, node.number, RATE * seconds) for node in mesh.nodes]
        begin = time.monotonic()
        for producer in producers:
            producer.start()
        for producer in producers:
            await asyncio.to_thread(producer.wait, SLOW)
        sent = time.monotonic() - begin
        await mesh.assert_each_once(RATE * seconds)
        print(f"{RATE * seconds} events a node: sent in {sent:.1f} s, there after {time.monotonic() - begin:.1f} s")
        for node, ledger in zip(mesh.nodes, await mesh.ledgers(), strict=True):
            assert_nothing_is_lost(ledger)
            assert_nothing_is_lost(await ask_dialler(node))
    finally:
        await mesh.close()
