"""A dialler's new process links beside the old one: no event is lost or comes twice, whatever happens in between."""

import asyncio
import functools
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from awxfast_dialler import AwxfastDialler
from events import GROUPS
from load import Load, assert_all_came, assert_nothing_is_lost
from meshes import Mesh
from reloading import Faults, count_descriptors, reload_and_wait
from servers import AwxfastServer, list_children, wait_for

StartMesh = Callable[..., Awaitable[Mesh]]
ERAS = ("broadcast", "relay")
RATE = 200.0


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Those of all processes that the test starts."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Faults(tmp_path)


def dialler_of(mesh: Mesh, number: int = 0) -> AwxfastDialler:
    dialler = mesh.nodes[number].dialler
    assert isinstance(dialler, AwxfastDialler)
    return dialler


async def reload(dialler: AwxfastDialler) -> str:
    done = await asyncio.to_thread(dialler.reload)
    assert done.returncode == 0, done.stderr + dialler.text()
    return done.stdout


def has_one_child(dialler: AwxfastDialler) -> bool:
    """Whether the processes before the one that dials are gone."""
    return len(list_children(dialler.process.pid)) == 1


async def assert_books_are_whole(dialler: AwxfastDialler) -> None:
    """Nothing was lost anywhere, over all processes."""
    ledger = await asyncio.to_thread(dialler.ledger)
    assert_nothing_is_lost(ledger)
    assert sum(ledger["events"]["rejected"].values()) == 0


def names_in_redis(mesh: Mesh) -> set[bytes]:
    """Whatever is in the first node's Redis but for events that wait and figures that come and go."""
    with mesh.nodes[0].redis.client() as client:
        return {key for key in client.scan_iter() if b":group:" in key or b"process" in key}


@pytest.mark.parametrize("era", ["relay", pytest.param("broadcast", marks=pytest.mark.long)])
@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
async def test_every_event_comes_once_through_reloads_of_both_diallers(
    era: str, rounds: int, start_mesh: StartMesh
) -> None:
    mesh = await start_mesh(era, *["awxfast awxfast"] * 2)
    mains = [dialler_of(mesh, number).process.pid for number in range(2)]
    async with Load(mesh.nodes, RATE) as load:
        for generation in range(1, rounds + 1):
            for number in range(2):
                said = await reload(dialler_of(mesh, number))
                assert said.startswith(f"reload: generation {generation}, 1 sockets kept, 0 drained, silence at most ")
                await load.go_on()
        await assert_all_came(mesh, load)
    for number, main in enumerate(mains):
        dialler = dialler_of(mesh, number)
        await asyncio.to_thread(wait_for, functools.partial(has_one_child, dialler))
        assert "peers that do not read" not in dialler.text()
        await assert_books_are_whole(dialler)
        assert dialler.process.pid == main
        assert dialler.process.poll() is None


@pytest.mark.long
@pytest.mark.parametrize("era", ERAS)
async def test_stock_node_notices_nothing_and_its_pages_need_not_ask_again(era: str, start_mesh: StartMesh) -> None:
    mesh = await start_mesh(era, "awxfast awxfast", "stock stock")
    dialler = dialler_of(mesh)
    for number in range(3):
        await mesh.send(10, first=10 * number)
        await mesh.assert_each_once(10 * (number + 1))
        if number < 2:
            await reload(dialler)
    await assert_books_are_whole(dialler)


def count_all(dialler: AwxfastDialler) -> tuple[int, int]:
    """Descriptors of main and of its only child."""
    return count_descriptors(dialler.process.pid), count_descriptors(dialler.child_pid())


@pytest.mark.long
async def test_nothing_is_left_behind_by_many(start_mesh: StartMesh) -> None:
    mesh = await start_mesh("relay", *["awxfast awxfast"] * 2)
    dialler, server = dialler_of(mesh), mesh.nodes[1].server
    assert isinstance(server, AwxfastServer)
    await reload(dialler)
    await mesh.until_heard()
    await asyncio.to_thread(wait_for, lambda: has_one_child(dialler))
    before, names = count_all(dialler), names_in_redis(mesh)
    for _ in range(2):
        await reload(dialler)
    await mesh.until_heard()
    await asyncio.to_thread(wait_for, lambda: has_one_child(dialler) and count_all(dialler) == before)
    await asyncio.to_thread(wait_for, lambda: names_in_redis(mesh) == names)
    await asyncio.to_thread(wait_for, lambda: server.ledger()["peers"][0]["links"] == 1)
    assert await asyncio.to_thread(dialler.stop) == 0


FAULTS = {
    "fails_to_import": (
        "import sys; sys.modules['awxfast.broadcast.child'] = None",
        "the new process ended (exit code 1)",
    ),
    "is_killed_at_its_start": (
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "the new process ended (exit code -9)",
    ),
    "is_killed_when_it_is_to_link": (
        "import os, signal, awxfast.broadcast.program as p\n"
        "p.NodeDialler.dial_beside = lambda *_: os.kill(os.getpid(), signal.SIGKILL)",
        "the new process ended before it was linked",
    ),
    "is_killed_when_all_is_there": (
        "import os, signal, awxfast.broadcast.child as c\n"
        "c.refuse_lost = lambda *_: os.kill(os.getpid(), signal.SIGKILL)",
        "the new process ended in the middle of it",
    ),
    "has_another_format": (
        "import awxfast.broadcast.child as c; c.FORMAT = [0]",
        "the new process understands another format",
    ),
    "fails_as_it_links": (
        "import awxfast.broadcast.program as p\np.NodeDialler.dial_beside = None",
        "the new process ended before it was linked",
    ),
}


@pytest.mark.parametrize(
    ("era", "chosen"),
    [
        ("relay", ("is_killed_when_all_is_there",)),
        *(pytest.param(era, tuple(FAULTS), marks=[pytest.mark.long, pytest.mark.timeout(600)]) for era in ERAS),
    ],
)
async def test_old_process_goes_on_whatever_becomes_of_the_new_one(
    era: str, chosen: tuple[str, ...], faults: Faults, start_mesh: StartMesh
) -> None:
    mesh = await start_mesh(era, *["awxfast awxfast"] * 2)
    dialler = dialler_of(mesh)
    child = dialler.child_pid()
    async with Load(mesh.nodes, RATE) as load:
        for code, reason in map(FAULTS.__getitem__, chosen):
            faults.set(code)
            failed = await asyncio.to_thread(dialler.reload)
            assert (failed.returncode, failed.stdout) == (1, "")
            assert f"the old process goes on: {reason}" in failed.stderr
            assert failed.stderr.count("\n") == 1
            assert dialler.child_pid() == child
            await load.go_on()
        faults.clear()
        await reload(dialler)
        await load.go_on()
        await assert_all_came(mesh, load)
    await assert_books_are_whole(dialler)


@pytest.mark.long
async def test_old_process_goes_on_where_the_trial_start_fails(faults: Faults, start_mesh: StartMesh) -> None:
    mesh = await start_mesh("relay", *["awxfast awxfast"] * 2)
    dialler = dialler_of(mesh)
    child = dialler.child_pid()
    faults.set("raise SystemExit('a package that is broken')", "trial")
    failed = await asyncio.to_thread(dialler.reload)
    assert failed.returncode == 1
    assert "a package that is broken" in failed.stderr
    assert dialler.child_pid() == child
    await mesh.until_heard()


@pytest.mark.long
async def test_old_process_goes_on_where_a_peer_refuses_the_new_one(start_mesh: StartMesh) -> None:
    mesh = await start_mesh("relay", *["awxfast awxfast"] * 2)
    secret = mesh.secret_file.read_text()
    mesh.secret_file.write_text("not what the servers have read\n")
    failed = await asyncio.to_thread(dialler_of(mesh).reload)
    mesh.secret_file.write_text(secret)
    assert failed.returncode == 1
    assert "the new process can't connect to 127.0.0.1" in failed.stderr
    assert "it refuses our secret (403)" in failed.stderr
    await mesh.until_heard()
    await reload(dialler_of(mesh))
    await mesh.until_heard()


@pytest.mark.long
async def test_old_process_goes_on_while_redis_is_away(start_mesh: StartMesh) -> None:
    mesh = await start_mesh("relay", *["awxfast awxfast"] * 2)
    dialler, redis = dialler_of(mesh), mesh.nodes[0].redis
    redis.kill()
    failed = await asyncio.to_thread(dialler.reload)
    assert (failed.returncode, "Redis" in failed.stderr) == (1, True)
    redis.start()
    await mesh.until_heard()
    await reload(dialler)
    await mesh.until_heard()


async def test_the_end_that_is_asked_for_meanwhile_wins(faults: Faults, start_mesh: StartMesh) -> None:
    mesh = await start_mesh("relay", *["awxfast awxfast"] * 2)
    dialler = dialler_of(mesh)
    faults.set("import awxfast.broadcast.child as c, asyncio\nc.wait_until_linked = lambda *_: asyncio.sleep(600)")
    dialler.signal(signal.SIGUSR2)
    await asyncio.to_thread(
        wait_for, lambda: dialler.text().count("connected to") == 1 and "Reloading" in dialler.text()
    )
    assert await asyncio.to_thread(dialler.stop) == 0
    with mesh.nodes[0].redis.client() as client:
        assert not client.exists("broadcast_websocket_stats")


@pytest.mark.long
async def test_two_at_once_are_done_one_after_the_other(start_mesh: StartMesh) -> None:
    mesh = await start_mesh("relay", *["awxfast awxfast"] * 2)
    dialler = dialler_of(mesh)
    by_admin = asyncio.to_thread(reload_and_wait, "--admin", str(dialler.admin))
    both = await asyncio.gather(asyncio.to_thread(dialler.reload), by_admin)
    assert [one.returncode for one in both] == [0, 0], both
    await mesh.until_heard()


async def test_process_that_dies_is_replaced_by_one_that_goes_on_with_its_queue(start_mesh: StartMesh) -> None:
    """What was in its memory is counted as lost."""
    mesh = await start_mesh("relay", *["awxfast awxfast"] * 2)
    dialler, child = dialler_of(mesh), dialler_of(mesh).child_pid()
    os.kill(child, signal.SIGSTOP)
    for number in range(20):
        await mesh.nodes[0].send(0, GROUPS[0], number)
    os.kill(child, signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: dialler.text().count("Dialling 1 peers") == 2)
    await mesh.until_linked()
    await mesh.until_heard()
    came = mesh.pages[1].numbers(0)
    assert came == list(range(20))[-len(came) :]
    assert len(came) >= 18  # the first may have been popped already
    ledger = await asyncio.to_thread(dialler.ledger)
    assert ledger["gaps"]["died"]["times"] == 1
    names = {key for key in names_in_redis(mesh) if b"awxfast:process" in key}
    assert len(names) == 2  # the server's, and the dialler's
