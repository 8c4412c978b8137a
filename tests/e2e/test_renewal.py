"""Main becomes what is installed now, in its place: same number, same sockets, same children; or stays what it is."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from browsers import close_browsers, open_browser
from events import GROUPS
from producers import Producer
from redis_servers import RedisServer
from reloading import Faults, count_descriptors, describe_descriptors, reload
from servers import HANG, AwxfastServer, list_children, wait_for

pytestmark = pytest.mark.timeout(600)  # each start of a process takes seconds where the machine is busy


def count_threads(process: int) -> int:
    return len(list(Path(f"/proc/{process}/task").iterdir()))


def count_programs(relay: AwxfastServer) -> int:
    """How many main programs have said who they are."""
    return relay.text().count("INFO     awxfast ")


@pytest.mark.long
async def test_five_in_a_row_keep_one_number_and_leave_nothing_behind(
    relay: AwxfastServer, new_producer: Callable[..., Producer], redis_server: RedisServer
) -> None:
    browser = await open_browser(relay.url, GROUPS[:1])
    producer = new_producer(0, 0, "--on-demand")
    main, seen = relay.process.pid, []
    keys = sorted(redis_server.client().keys("*"))
    for number in range(5):
        done = await reload(relay)
        assert done.returncode == 0, done.stderr + relay.text()
        wait_for(lambda: list_children(main) == [relay.child_pid()])  # the old one is reaped
        seen.append((count_descriptors(main), count_threads(main), describe_descriptors(main).count("memfd")))
        producer.send(GROUPS[0], number)
        await browser.until(lambda number=number: browser.events == number + 1)
    assert relay.process.poll() is None
    assert count_programs(relay) == 6
    assert seen[1:] == [seen[1]] * 4
    assert seen[-1][2] == 0
    assert sorted(redis_server.client().keys("*")) == keys
    assert relay.metric("awxfast_reloads_total") == relay.ledger()["generation"] == 5
    assert not browser.gone.is_set()
    await close_browsers([browser])
    assert relay.stop() == 0
    assert redis_server.client().keys("*") == []


TRIALS = {
    "ends": ("print('it is broken', file=sys.stderr); os._exit(1)", "the new main process can't start: it is broken"),
    "can_not_be_imported": (
        "sys.modules['awxfast.process.supervisor'] = None",
        "the new main process can't start: unexpected ModuleNotFoundError: import of awxfast.process.supervisor halted",
    ),
    "says_nothing": ("os._exit(3)", "the new main process can't start: it ended without a word"),
    "understands_another_format": (
        "import awxfast.process.renewal as r; r.FORMAT += 1",
        "the new main process can't start: it goes on with format 4, not 3; restart instead",
    ),
}


LONG_TRIALS = {"says_nothing", "ends", "understands_another_format"}


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=[pytest.mark.long] * (fault in LONG_TRIALS)) for fault in TRIALS]
)
async def test_nothing_happens_where_a_trial_start(
    faults: Faults, start_relay: Callable[..., AwxfastServer], fault: str
) -> None:
    relay = start_relay()
    browser = await open_browser(relay.url, GROUPS[:1])
    child = relay.child_pid()
    code, reason = TRIALS[fault]
    faults.set(code, "trial")
    failed = await reload(relay)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert f"reload: the old process goes on: {reason}" in failed.stderr
    assert relay.text().count("the old process goes on") == 1
    assert "Traceback" not in relay.text()
    assert (relay.child_pid(), count_programs(relay)) == (child, 1)
    assert list_children(relay.process.pid) == [child]
    wait_for(lambda: relay.metric("awxfast_reloads_total") == 1)
    faults.clear("trial")
    assert (await reload(relay)).returncode == 0
    assert not browser.gone.is_set()
    await close_browsers([browser])


async def test_main_that_can_not_become_another_goes_on_with_the_new_serving_process(
    faults: Faults, start_relay: Callable[..., AwxfastServer], redis_server: RedisServer
) -> None:
    code = "def refuse(*_): raise OSError(12, 'Cannot allocate memory')\nos.execve = refuse"
    faults.set(code, "main")
    relay = start_relay()
    faults.clear("main")
    browser = await open_browser(relay.url, GROUPS[:1])
    for generation in (1, 2):
        child, descriptors = relay.child_pid(), count_descriptors(relay.process.pid)
        failed = await reload(relay)
        assert failed.returncode == 1
        said = f"reload: generation {generation}, 1 sockets kept, 0 drained, silence at most"
        assert said in failed.stderr
        assert failed.stderr.endswith("but the main process stays the old version: Cannot allocate memory\n")
        wait_for(lambda: list_children(relay.process.pid) == [relay.child_pid()])
        assert relay.child_pid() != child
    assert count_descriptors(relay.process.pid) == descriptors
    assert not browser.gone.is_set()
    await close_browsers([browser])
    assert relay.stop() == 0
    assert redis_server.client().keys("*") == []


PHASES = {
    "a_trial_start": ("trial", "import time; open({begun!r}, 'w'); time.sleep(600)"),
    "the_start_of_a_serving_process": ("serving", "import time; open({begun!r}, 'w'); time.sleep(600)"),
    "the_hand_over": (
        "serving",
        "import time, awxfast.app.handover as h\n"
        "h.receive_message = lambda sock: (open({begun!r}, 'w'), time.sleep(600))",
    ),
    "the_change_of_main": (
        "next",
        "import time; open({begun!r}, 'w')\nwhile not os.path.exists({go!r}): time.sleep(0.01)",
    ),
}


@pytest.mark.parametrize("phase", PHASES)
async def test_end_that_is_asked_for_wins_in(
    faults: Faults, start_relay: Callable[..., AwxfastServer], redis_server: RedisServer, tmp_path: Path, phase: str
) -> None:
    faults.set("import awxfast.app.handover as h; h.PATIENCE = 0.5")
    relay = start_relay()
    faults.clear()
    browser = await open_browser(relay.url, GROUPS[:1])
    begun, go = tmp_path / "begun", tmp_path / "go"
    role, code = PHASES[phase]
    faults.set(code.format(begun=str(begun), go=str(go)), role)
    relay.process.send_signal(signal.SIGUSR2)
    wait_for(begun.exists)
    relay.process.send_signal(signal.SIGTERM)
    go.touch()
    assert await asyncio.to_thread(relay.process.wait, HANG) == 0
    await browser.gone.wait()
    assert browser.closed == 1001
    assert redis_server.client().keys("*") == []
    assert "ERROR" not in relay.text()


async def test_killed_after_a_change_main_takes_its_child_with_it(relay: AwxfastServer) -> None:
    assert (await reload(relay)).returncode == 0
    child = relay.child_pid()
    relay.process.kill()
    relay.process.wait()
    wait_for(lambda: not Path(f"/proc/{child}").exists())


async def test_child_that_dies_after_a_change_is_replaced(
    relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    assert (await reload(relay)).returncode == 0
    child = relay.child_pid()
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: "ended unasked (exit code -9); another one starts" in relay.text())
    wait_for(lambda: relay.text().count("Listening on TCP") == 2)
    assert list_children(relay.process.pid) == [relay.child_pid()] != [child]
    browser = await open_browser(relay.url, GROUPS[:1])
    producer = new_producer(0, 0, "--on-demand")
    producer.send(GROUPS[0], 3)
    await browser.until(lambda: browser.events == 1)
    await close_browsers([browser])
