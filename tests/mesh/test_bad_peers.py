"""A dialler outlives whatever it meets, says each change once, does next to nothing meanwhile, and links in the end."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from meshes import until
from moody_peer import MOODS, MoodyPeer
from nodes import SECRET, Node

LONG = [pytest.mark.long, pytest.mark.timeout(900)]
LONGEST_PAUSE = 10.0
MOST_CPU = 0.01


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    (tmp_path / "secret").write_text(SECRET)
    node = Node(0, "awxfast awxfast", "relay", tmp_path / "secret")
    await node.start_server()
    yield node
    await node.close()


@pytest.fixture
async def peer(node: Node) -> AsyncIterator[MoodyPeer]:
    peer = MoodyPeer(node.server_port)
    await peer.start()
    yield peer
    await peer.stop()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("moods", "seconds"),
    [
        pytest.param(MOODS[:4], 0.0, id="scaled"),
        pytest.param(MOODS * 4, 25.0, marks=LONG, id="ten minutes"),
    ],
)
async def test_case_c26_refusals_of_every_kind(
    node: Node, peer: MoodyPeer, moods: tuple[str, ...], seconds: float
) -> None:
    await node.start_dialler("relay", [peer.address])
    dialler = node.dialler
    pid = dialler.process.pid
    begun, used = time.monotonic(), cpu_seconds(pid)
    for number, mood in enumerate(moods, 1):
        peer.mood = mood
        entered = time.monotonic()
        await until(lambda number=number: len(re.findall("can't connect to", dialler.text())) == number)
        await asyncio.sleep(entered + seconds - time.monotonic())
        assert len(re.findall("can't connect to", dialler.text())) == number, "a line for each change alone"
    share = (cpu_seconds(pid) - used) / (time.monotonic() - begun)
    peer.mood = ""
    await until(dialler.connected, 2 * LONGEST_PAUSE)
    print(f"{share:.2%} of a CPU")
    assert seconds == 0 or share < MOST_CPU
