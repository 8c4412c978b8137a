"""A child's life seen from main, with stand-ins for the serving process that are real processes."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from awxfast.errors import ConfigurationError, HandOverFailed, StartError
from awxfast.process import restart_pauses, supervisor
from awxfast.process.child_handle import ChildHandle
from awxfast.process.places import Surroundings
from awxfast.process.used_headers import UsedHeaders
from awxfast.process.workers import Workers
from stand_ins import HEIR, SERVES, Watched, read_settings, wait_until


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
        watched.workers.stop()
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
            watched.workers.reload_files()
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
        watched.workers.reload_files()
        await wait_until(lambda: "the tokens file is gone" in caplog.text)
        await watched.stop()

    async def test_stop_does_not_wait_for_the_pause(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(restart_pauses, "FIRST_PAUSE", 600.0)
        caught = asyncio.Event()
        monkeypatch.setattr(restart_pauses.log, "error", lambda *_: caught.set())
        watched = Watched(monkeypatch, "sys.exit(1)")
        await asyncio.wait_for(caught.wait(), 30)
        await watched.stop()


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
        assert not watched.workers.take_answer()
        watched.workers.send_ping()
        await wait_until(watched.workers.take_answer)
        assert not watched.workers.take_answer()
        await watched.stop()

    async def test_silent_child_is_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, "send(kind='serving')\nwhile receive()['kind'] != 'stop': pass")
        await watched.wait_until_serving()
        watched.workers.send_ping()
        await watched.stop()
        assert not watched.workers.take_answer()


class TestStopOfAStart:
    async def test_child_that_serves_nobody_yet_is_ended_soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert supervisor.START_STOP_LIMIT < 1
        watched = Watched(monkeypatch, "time.sleep(600)", stop_limit=600)
        await asyncio.sleep(0.1)
        await watched.stop()

    async def test_child_that_is_being_started_when_all_end_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start = ChildHandle.start

        async def start_late(*words: Any) -> ChildHandle:
            child = await start(*words)
            watched.supervisor.end()
            return child

        monkeypatch.setattr(ChildHandle, "start", start_late)
        watched = Watched(monkeypatch, "time.sleep(600)")
        await asyncio.wait_for(watched.task, 30)

    async def test_child_that_serves_meanwhile_has_all_its_time(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(supervisor, "START_STOP_LIMIT", 0.5)
        watched = Watched(monkeypatch, "receive(); send(kind='serving'); time.sleep(1)")
        await watched.stop()
        assert "did not leave" not in caplog.text


class TestNextProgramOfMain:
    async def test_child_that_ends_in_the_turn_of_the_freeze_is_one_that_has_died(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watched = Watched(monkeypatch, SERVES.replace("while", "send(kind='stands', frames=7)\nwhile", 1))
        await watched.wait_until_serving()
        (child,) = watched.supervisor._children
        await wait_until(lambda: child.stands is not None)
        running = watched.supervisor._children.find_end(child)
        await watched.supervisor.prepare_freeze()
        child.kill()
        while not running.done():  # noqa: ASYNC110  its end must be seen before anybody else hears of it
            await asyncio.sleep(0)
        assert child in watched.supervisor._children, "the moment that this is about has passed"
        frozen = json.loads(json.dumps(await watched.supervisor.freeze([])))
        assert (frozen["children"], frozen["serves"], frozen["tally"]["told"]) == ([], False, [])
        assert frozen["died"] >= 7
        watched.task.cancel()
        await asyncio.wait([watched.task])
        heir = Workers({}, [], lambda: None, UsedHeaders(300), Surroundings(30.0))
        await heir.supervisors[0].adopt(frozen)
        assert heir.supervisors[0]._died == frozen["died"]


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
        watched.workers.reload_files()
        await watched.wait_until_serving()
        await watched.stop()
        heard = [json.loads(line) for line in (tmp_path / "heard").read_text().splitlines()]
        assert heard == [[], [header]]

    async def test_new_process_hears_of_those_that_are_used_while_it_starts(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        header = f"HMAC-SHA256 {int(time.time())}:{'a' * 64}"
        program = f"""
            if "inherits" in start:
                assert start["used_headers"] == []
                send(kind="ready", format=[1])
                assert receive() == {{"kind": "used_header", "header": {header!r}}}
                send(kind="succeeded", kept=0, drained=1, silence=0.0)
            else:
                send(kind="serving")
            while (message := receive())["kind"] != "stop":
                if message["kind"] == "hand_over":
                    send(kind="used_header", header={header!r})
                    send(kind="left")
        """
        watched = Watched(monkeypatch, program)
        await watched.wait_until_serving()
        assert (await asyncio.wait_for(watched.workers.replace_child(), 30))["drained"] == 1
        assert watched.used.list_fresh() == [header]
        await watched.stop()


class TestMissingInterpreter:
    async def test_first_start_says_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", ("/nowhere/python",))
        alone = Workers({}, [], lambda: None, UsedHeaders(300), Surroundings(30.0))
        with pytest.raises(StartError, match="no serving process can be started: No such file"):
            await asyncio.wait_for(alone.run(), 30)

    async def test_main_goes_on_trying_after_a_death(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        watched = Watched(monkeypatch, "send(kind='serving'); receive(); os.kill(os.getpid(), 9)")
        await watched.wait_until_serving()
        command = supervisor.CHILD_COMMAND
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", ("/nowhere/python",))
        watched.workers.reload_files()
        await wait_until(lambda: "(no serving process can be started: No such file" in caplog.text)
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", command)
        await watched.wait_until_serving()
        await watched.stop()


class TestNextProgram:
    async def test_it_goes_on_with_the_child_and_all_that_was_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, HEIR)
        await watched.wait_until_serving()
        await asyncio.wait_for(watched.workers.replace_child(read_settings), 30)
        header = f"HMAC-SHA256 {int(time.time())}:{'a' * 64}"
        watched.used.add(header)
        kept: list[int] = []
        frozen = json.loads(json.dumps(await watched.workers.freeze(kept)))
        assert {frozen["places"][0]["children"][0][name] for name in ("pipe", "passing")} <= set(kept)
        await asyncio.wait([watched.task])
        used = UsedHeaders(300)
        heir = Workers({}, [], lambda: None, used, Surroundings(30.0))
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
        watched.workers.stop()
        with pytest.raises(HandOverFailed, match="nobody serves"):
            await watched.workers.freeze([])
        await asyncio.wait_for(watched.task, 30)
