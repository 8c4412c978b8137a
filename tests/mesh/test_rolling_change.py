"""A cluster that is moved from stock to awxfast, node by node under load, loses nothing that stock would deliver."""

from collections.abc import Awaitable, Callable

import pytest
from load import Load
from meshes import Mesh
from rolling_change import RollingChange

NODES = 3
LONG = [pytest.mark.long, pytest.mark.timeout(600)]
FULL = (500 / NODES / 10, 9)
"""500 events a second in all, of which a tenth is looked at: stock nodes take 10 ms of CPU for each on its way."""


@pytest.mark.parametrize(
    ("era", "rate", "unwatched", "pause", "changes"),
    [
        pytest.param("relay", 10.0, 0, 3, ["awxfast awxfast"], id="scaled"),
        pytest.param("relay", *FULL, 100, ["awxfast awxfast"], marks=LONG, id="relay"),
        pytest.param("broadcast", 15.0, 0, 100, ["awxfast awxfast"], marks=LONG, id="broadcast"),
        pytest.param("relay", *FULL, 100, ["awxfast awxfast", "stock stock"], marks=LONG, id="there and back"),
        pytest.param("relay", *FULL, 100, ["stock stock"], marks=LONG, id="stock relay"),
        pytest.param("broadcast", 15.0, 0, 100, ["stock stock"], marks=LONG, id="stock broadcast"),
    ],
)
async def test_only_what_stock_restarts_cost_is_lost(
    era: str,
    rate: float,
    unwatched: int,
    pause: int,
    changes: list[str],
    start_mesh: Callable[..., Awaitable[Mesh]],
) -> None:
    """Those with stock alone show that this is what its restarts cost."""
    mesh = await start_mesh(era, *["stock stock"] * NODES, dialler_era="auto")
    async with Load(mesh.nodes, rate, unwatched) as load:
        rolling = RollingChange(mesh, load, era, pause)
        await load.go_on(pause)
        for kinds in changes:
            for node in mesh.nodes:
                await rolling.change_node(node, kinds)
        await load.stop()
        await mesh.until_heard()
    for page in mesh.pages:
        page.assert_in_order_and_whole()
    print("made", {number: len(made) for number, made in load.made.items()})
    print("lost", {pair: len(lost) for pair, lost in rolling.lost().items()})
    assert rolling.unexplained() == {}
