"""A child's life seen from main, with stand-ins for the serving process that are real processes."""

import asyncio
import json
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError, HandOverFailed, StartError
from awxfast.process import supervisor
from awxfast.process.supervisor import Supervisor
from awxfast.process.used_headers import UsedHeaders

PREAMBLE = """
import json, os, signal, socket, sys, time
sock = socket.socket(fileno=int(sys.argv[2]))
lines = sock.makefile("rwb", buffering=0)
def send(**message): lines.write(json.dumps(message).encode() + b"\\n")
def receive(): return json.loads(lines.readline())
start = receive()
"""
SERVES = """
send(kind="serving")
while True:
    message = receive()
    if message["kind"] == "ping": send(kind="pong")
    if message["kind"] == "stop": sys.exit(0)
"""


async def wait_until(condition: Callable[[], bool]) -> None:
    """Fails after half a minute."""
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen")


async def read_settings() -> str:
    """What a trial start would say."""
    return "{}"


class Watched:
    """A supervisor of a stand-in, and what it was called back with."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, program: str, stop_limit: float = 30.0, drain_limit: float = 30.0
    ) -> None:
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", (sys.executable, "-c", PREAMBLE + textwrap.dedent(program)))
        self.serving = asyncio.Queue[int]()
        self.used = UsedHeaders(300)
        self.supervisor = Supervisor(
            {"number": 7}, [], lambda: self.serving.put_nowait(1), stop_limit, self.used, drain_limit
        )
        self.task = asyncio.ensure_future(self.supervisor.run())

    async def wait_until_serving(self) -> None:
        await asyncio.wait_for(self.serving.get(), 30)

    async def stop(self) -> None:
        self.supervisor.stop()
        await asyncio.wait_for(self.task, 30)


class TestStop:
    async def test_child_is_asked_and_leaves(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, SERVES)
        await watched.wait_until_serving()
        await watched.stop()

    async def test_child_that_has_not_begun_is_asked_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, "assert receive()['kind'] == 'stop'")
        await watched.stop()

    async def test_nobody_is_told_of_a_child_that_serves_too_late(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, "receive(); send(kind='serving')")
        await watched.stop()
        assert watched.serving.empty()

    async def test_second_time_ends_it_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, "send(kind='serving'); time.sleep(600)")
        await watched.wait_until_serving()
        watched.supervisor.stop()
        await watched.stop()

    async def test_child_that_outlasts_the_limit_is_ended(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        watched = Watched(monkeypatch, "send(kind='serving'); time.sleep(600)", stop_limit=0.1)
        await watched.wait_until_serving()
        await watched.stop()
        assert "did not leave within 0.1 s" in caplog.text


class TestDeath:
    async def test_another_child_is_started(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        watched = Watched(monkeypatch, "send(kind='serving'); receive(); os.kill(os.getpid(), 9)")
        for _ in range(2):
            await watched.wait_until_serving()
            watched.supervisor.reload_files()
        await watched.wait_until_serving()
        await watched.stop()
        assert caplog.text.count("ended unasked (exit code -9); another one starts") == 2

    async def test_failure_of_a_later_child_is_logged_and_tried_again(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        marker = str(tmp_path / "served")
        program = f"""
            if os.path.exists({marker!r}):
                send(kind="failed", text="the tokens file is gone", exit_code=2); sys.exit(2)
            open({marker!r}, "w").close()
            send(kind="serving"); receive(); sys.exit(1)
        """
        watched = Watched(monkeypatch, program)
        await watched.wait_until_serving()
        watched.supervisor.reload_files()
        await wait_until(lambda: "the tokens file is gone" in caplog.text)
        await watched.stop()

    async def test_stop_does_not_wait_for_the_pause(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervisor, "FIRST_PAUSE", 600.0)
        caught = asyncio.Event()
        monkeypatch.setattr(supervisor.log, "error", lambda *_: caught.set())
        watched = Watched(monkeypatch, "sys.exit(1)")
        await asyncio.wait_for(caught.wait(), 30)
        await watched.stop()

    async def test_pauses_begin_again_after_a_child_that_lived_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervisor, "HEALTHY_AFTER", 0.0)
        pauses: list[float] = []
        monkeypatch.setattr(supervisor.log, "error", lambda *said: pauses.append(said[-1]))
        watched = Watched(monkeypatch, "sys.exit(1)")
        await wait_until(lambda: len(pauses) >= 4)
        await watched.stop()
        assert all(pause <= supervisor.FIRST_PAUSE for pause in pauses)


class TestFirstStart:
    @pytest.mark.parametrize(("exit_code", "kind"), [(2, ConfigurationError), (1, StartError)])
    async def test_what_the_child_reports_is_raised(
        self, monkeypatch: pytest.MonkeyPatch, exit_code: int, kind: type[Exception]
    ) -> None:
        program = f"send(kind='failed', text='no such file', exit_code={exit_code}); sys.exit({exit_code})"
        watched = Watched(monkeypatch, program)
        with pytest.raises(kind, match="no such file"):
            await asyncio.wait_for(watched.task, 30)


class TestPings:
    async def test_answers_are_told_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, SERVES)
        await watched.wait_until_serving()
        assert not watched.supervisor.take_answer()
        watched.supervisor.send_ping()
        await wait_until(watched.supervisor.take_answer)
        assert not watched.supervisor.take_answer()
        await watched.stop()

    async def test_silent_child_is_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, "send(kind='serving')\nwhile receive()['kind'] != 'stop': pass")
        await watched.wait_until_serving()
        watched.supervisor.send_ping()
        await watched.stop()
        assert not watched.supervisor.take_answer()


class TestStopOfAStart:
    async def test_child_that_serves_nobody_yet_is_ended_soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert supervisor.START_STOP_LIMIT < 1
        watched = Watched(monkeypatch, "time.sleep(600)", stop_limit=600)
        await asyncio.sleep(0.1)
        await watched.stop()

    async def test_child_that_serves_meanwhile_has_all_its_time(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(supervisor, "START_STOP_LIMIT", 0.5)
        watched = Watched(monkeypatch, "receive(); send(kind='serving'); time.sleep(1)")
        await watched.stop()
        assert "did not leave" not in caplog.text


class TestNewProcessThatCanNotBeStarted:
    async def test_old_one_goes_on_and_hears_of_each_failure(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        program = f"""
            send(kind="serving")
            while (message := receive())["kind"] != "stop":
                if message["kind"] == "reloads":
                    open({str(tmp_path / "heard")!r}, "a").write(json.dumps(message["counts"]) + "\\n")
        """
        watched = Watched(monkeypatch, program)
        await watched.wait_until_serving()
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", (str(tmp_path / "python"),))
        for _ in range(2):
            with pytest.raises(HandOverFailed, match="No such file"):
                await watched.supervisor.replace_child(read_settings)
        await watched.stop()
        heard = [json.loads(line) for line in (tmp_path / "heard").read_text().splitlines()]
        assert heard == [{"done": 0, "failed": 1}, {"done": 0, "failed": 2}]


DRAINS = """
if "inherits" in start:
    send(kind="ready", format=[1])
send(kind="serving")
if "inherits" in start:
    send(kind="succeeded", kept=0, drained=1, silence=0.0)
while (message := receive())["kind"] != "stop":
    if message["kind"] == "hand_over": send(kind="left")
"""


class TestDraining:
    async def test_one_that_does_not_leave_in_time_is_ended(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        watched = Watched(monkeypatch, DRAINS, drain_limit=0.2)
        await watched.wait_until_serving()
        assert (await watched.supervisor.replace_child())["drained"] == 1
        await wait_until(lambda: "did not leave within 0.2 s" in caplog.text)
        await watched.supervisor.replace_child()
        assert "ended unasked" not in caplog.text
        await watched.stop()

    async def test_more_than_a_few_are_refused_and_all_are_asked_to_stop(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, DRAINS)
        await watched.wait_until_serving()
        for _ in range(supervisor.MOST_DRAINING):
            await watched.supervisor.replace_child()
        with pytest.raises(HandOverFailed, match="still drain"):
            await watched.supervisor.replace_child()
        await watched.stop()


class TestUsedHeaders:
    async def test_next_child_hears_of_those_of_the_one_before(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        header = f"HMAC-SHA256 {int(time.time())}:{'a' * 64}"
        program = f"""
            open({str(tmp_path / "heard")!r}, "a").write(json.dumps(start["used_headers"]) + "\\n")
            send(kind="used_header", header={header!r})
            send(kind="serving"); receive(); os.kill(os.getpid(), 9)
        """
        watched = Watched(monkeypatch, program)
        await watched.wait_until_serving()
        watched.supervisor.reload_files()
        await watched.wait_until_serving()
        await watched.stop()
        heard = [json.loads(line) for line in (tmp_path / "heard").read_text().splitlines()]
        assert heard == [[], [header]]


class TestMissingInterpreter:
    async def test_first_start_says_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", ("/nowhere/python",))
        alone = Supervisor({}, [], lambda: None, 30.0, UsedHeaders(300))
        with pytest.raises(StartError, match="no serving process can be started: No such file"):
            await asyncio.wait_for(alone.run(), 30)

    async def test_main_goes_on_trying_after_a_death(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        watched = Watched(monkeypatch, "send(kind='serving'); receive(); os.kill(os.getpid(), 9)")
        await watched.wait_until_serving()
        command = supervisor.CHILD_COMMAND
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", ("/nowhere/python",))
        watched.supervisor.reload_files()
        await wait_until(lambda: "(no serving process can be started: No such file" in caplog.text)
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", command)
        await watched.wait_until_serving()
        await watched.stop()


HEIR = """
if "inherits" in start:
    assert start["settings"] == "{}"
    send(kind="ready", format=[7])
    socket.socket(fileno=start["inherits"]).recv(1)
    send(kind="succeeded", kept=3, silence=0.25)
send(kind="serving")
while True:
    message = receive()
    if message["kind"] == "hand_over":
        socket.recv_fds(socket.socket(fileno=start["passing"]), 100, 1)[1] and sys.exit(0)
    if message["kind"] == "ping": send(kind="pong")
    if message["kind"] == "stop": sys.exit(0)
"""


class TestHeir:
    async def test_one_that_has_succeeded_is_the_serving_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, HEIR)
        await watched.wait_until_serving()
        outcome = await asyncio.wait_for(watched.supervisor.replace_child(read_settings), 30)
        assert (outcome["kept"], outcome["silence"], watched.supervisor.generation) == (3, 0.25, 1)
        await wait_until(lambda: watched.supervisor.serves)
        watched.supervisor.send_ping()
        await wait_until(watched.supervisor.take_answer)
        assert watched.serving.empty()  # nobody is told of a second start
        await watched.stop()

    async def test_old_one_that_dies_while_the_new_one_starts_is_told_as_such(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = """
            if "inherits" in start: time.sleep(600)
            send(kind="serving")
            while receive()["kind"] != "reload_files": pass
            os.kill(os.getpid(), 9)
        """
        watched = Watched(monkeypatch, program)
        await watched.wait_until_serving()
        replacing = asyncio.ensure_future(watched.supervisor.replace_child(read_settings))
        await asyncio.sleep(0)
        watched.supervisor.reload_files()
        with pytest.raises(HandOverFailed, match=r"the old process ended \(exit code -9\)"):
            await asyncio.wait_for(replacing, 30)
        await watched.wait_until_serving()
        watched.supervisor.stop()
        await watched.stop()


class TestNextProgram:
    async def test_it_goes_on_with_the_child_and_all_that_was_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, HEIR)
        await watched.wait_until_serving()
        await asyncio.wait_for(watched.supervisor.replace_child(read_settings), 30)
        header = f"HMAC-SHA256 {int(time.time())}:{'a' * 64}"
        watched.used.add(header)
        kept: list[int] = []
        frozen = json.loads(json.dumps(await watched.supervisor.freeze(kept)))
        assert {frozen["children"][0][name] for name in ("pipe", "passing")} <= set(kept)
        await asyncio.wait([watched.task])
        used = UsedHeaders(300)
        heir = Supervisor({"number": 7}, [], lambda: None, 30.0, used)
        await heir.adopt(frozen)
        assert used.list_fresh() == [header]
        assert heir.generation == 1
        running = asyncio.ensure_future(heir.run())
        heir.send_ping()
        await wait_until(heir.take_answer)
        assert heir.serves
        heir.stop()
        await asyncio.wait_for(running, 30)
        assert not heir.serves

    async def test_nothing_is_left_where_nobody_serves(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, SERVES)
        await watched.wait_until_serving()
        watched.supervisor.stop()
        with pytest.raises(HandOverFailed, match="nobody serves"):
            await watched.supervisor.freeze([])
        await asyncio.wait_for(watched.task, 30)
