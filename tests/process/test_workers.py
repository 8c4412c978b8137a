"""Several places for serving processes, with stand-ins that are real processes."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError, HandOverFailed, StartError
from awxfast.process.overview import Overview
from awxfast.process.places import Surroundings
from awxfast.process.used_headers import UsedHeaders
from awxfast.process.workers import Workers
from stand_ins import LOOKED_AT, Watched, read_settings, wait_until

WORKER = (
    LOOKED_AT
    + """
number = start["worker"]["number"]
assert start["worker"]["count"] == 2 and os.fstat(start["worker"]["shares"]).st_size
send(kind="imported")
if "inherits" in start:
    assert receive()["kind"] == "register"
    send(kind="ready", format=[1])
    counted = int(socket.socket(fileno=start["inherits"]).recv(9))
    show(inherited=True)
    send(kind="succeeded", kept=number + 1, drained=0, silence=0.1 * number)
else:
    assert receive()["kind"] == "register"
    counted = number
    send(kind="serving")
    show()
while True:
    message = receive()
    if message["kind"] == "reload_files" and number: os.kill(os.getpid(), 9)
    if message["kind"] == "hand_over":
        way = socket.socket(fileno=start["passing"])
        heir = socket.socket(fileno=socket.recv_fds(way, 100, 1)[1][0])
        heir.send(str(counted).encode())
        sys.exit(0)
    answer(message)
"""
)


def list_pids(watched: Watched) -> list[int | None]:
    return [one.pid for one in watched.workers.supervisors]


async def until_shown(watched: Watched) -> None:
    await watched.wait_until_serving()
    await wait_until(lambda: all(one.list_present()[0] for one in watched.workers.supervisors))


class TestStart:
    async def test_nobody_registers_before_all_have_imported(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        program = f"""
            number = start["worker"]["number"]
            diary = open({str(tmp_path / "diary")!r}, "a")
            if number: time.sleep(0.5)
            diary.write("imported\\n"); diary.flush()
            send(kind="imported")
            assert receive()["kind"] == "register"
            diary.write("registered\\n"); diary.flush()
            send(kind="serving")
            while receive()["kind"] != "stop": pass
        """
        watched = Watched(monkeypatch, program, count=2)
        await watched.wait_until_serving()
        assert watched.serving.empty(), "it is said once, when all serve"
        await watched.stop()
        assert (tmp_path / "diary").read_text().split() == ["imported"] * 2 + ["registered"] * 2

    async def test_nobody_listens_before_all_are_prepared(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        program = f"""
            diary = open({str(tmp_path / "diary")!r}, "a")
            send(kind="imported")
            assert receive()["kind"] == "register"
            if start["worker"]["number"]: time.sleep(0.5)
            diary.write("prepared\\n"); diary.flush()
            send(kind="prepared")
            assert receive()["kind"] == "listen"
            diary.write("listens\\n"); diary.flush()
            send(kind="serving")
            while receive()["kind"] != "stop": pass
        """
        watched = Watched(monkeypatch, program, count=2)
        await watched.wait_until_serving()
        await watched.stop()
        assert (tmp_path / "diary").read_text().split() == ["prepared"] * 2 + ["listens"] * 2

    @pytest.mark.parametrize("words", [("imported", "register"), ("imported", "register", "prepared", "listen")])
    async def test_one_that_comes_later_waits_for_nobody(
        self, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
    ) -> None:
        steps = "".join(
            f'send(kind="{told}"); assert receive()["kind"] == "{heard}"\n'
            for told, heard in zip(words[::2], words[1::2], strict=True)
        )
        program = (
            steps
            + """
send(kind="serving"); show()
while True:
    message = receive()
    if message["kind"] == "reload_files" and start["worker"]["number"]: os.kill(os.getpid(), 9)
    answer(message)
"""
        )
        watched = Watched(monkeypatch, LOOKED_AT + program, count=2)
        await until_shown(watched)
        watched.workers.reload_files()
        await watched.wait_until_serving()
        await watched.stop()

    async def test_one_that_dies_in_its_import_is_waited_for(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        program = f"""
            number = start["worker"]["number"]
            send(kind="imported")
            if number and not os.path.exists({str(tmp_path / "died")!r}):
                open({str(tmp_path / "died")!r}, "w").close()
                os.kill(os.getpid(), 9)
            assert receive()["kind"] == "register"
            send(kind="serving")
            while receive()["kind"] != "stop": pass
        """
        watched = Watched(monkeypatch, program, count=2)
        await watched.wait_until_serving()
        await watched.stop()

    async def test_one_that_can_not_start_ends_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        program = """
            if start["worker"]["number"]:
                send(kind="failed", text="no such file", exit_code=2); sys.exit(2)
            send(kind="imported"); time.sleep(600)
        """
        watched = Watched(monkeypatch, program, count=2)
        with pytest.raises(ConfigurationError, match="no such file"):
            await asyncio.wait_for(watched.task, 30)
        assert [list(one._children) for one in watched.workers.supervisors] == [[], []]

    async def test_those_that_serve_leave_in_order_when_another_one_can_not_start(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """They have browsers, and names in Redis."""
        serves, left = tmp_path / "serves", tmp_path / "left"
        program = (
            LOOKED_AT
            + f"""
send(kind="imported")
assert receive()["kind"] == "register"
if start["worker"]["number"]:
    while not os.path.exists({str(serves)!r}): time.sleep(0.01)
    send(kind="failed", text="no database", exit_code=1); sys.exit(1)
show()
send(kind="serving")
open({str(serves)!r}, "w").close()
while receive()["kind"] != "stop": pass
open({str(left)!r}, "w").close()
"""
        )
        watched = Watched(monkeypatch, program, count=2)
        with pytest.raises(StartError, match="no database"):
            await asyncio.wait_for(watched.task, 30)
        assert left.exists()


class TestDeath:
    async def test_the_others_go_on_and_another_one_comes_in_its_place_alone(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        watched = Watched(monkeypatch, WORKER, count=2)
        await until_shown(watched)
        former = list_pids(watched)
        watched.workers.reload_files()
        await watched.wait_until_serving()
        await wait_until(lambda: None not in list_pids(watched))
        stays, newcomer = list_pids(watched)
        assert stays == former[0]
        assert newcomer != former[1]
        assert f"Worker 1 of 2 (process {former[1]}) ended unasked (exit code -9); another one starts in" in caplog.text
        await watched.stop()


class TestStop:
    async def test_only_one_that_does_not_leave_is_said_to_be_late(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        program = """
            number = start["worker"]["number"]
            send(kind="imported")
            assert receive()["kind"] == "register"
            send(kind="serving")
            while receive()["kind"] != "stop": pass
            if number: time.sleep(600)
        """
        watched = Watched(monkeypatch, program, stop_limit=0.5, count=2)
        await watched.wait_until_serving()
        await watched.stop()
        late = [record.message for record in caplog.records if "did not leave" in record.message]
        assert [line.partition(" (")[0] for line in late] == ["Worker 1 of 2"]


class TestPings:
    async def test_one_that_starts_anew_is_not_one_that_hangs(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The watchdog would end those who serve."""
        served, hangs = tmp_path / "served", tmp_path / "hangs"
        program = f"""
            number = start["worker"]["number"]
            if number and os.path.exists({str(served)!r}): time.sleep(600)
            send(kind="imported")
            assert receive()["kind"] == "register"
            if number: open({str(served)!r}, "w").close()
            send(kind="serving")
            while (message := receive())["kind"] != "stop":
                if message["kind"] == "reload_files" and number: os.kill(os.getpid(), 9)
                if message["kind"] == "ping":
                    send(kind="stands", frames=1) if os.path.exists({str(hangs)!r}) else send(kind="pong")
        """
        watched = Watched(monkeypatch, program, count=2)
        await watched.wait_until_serving()
        workers, (first, second) = watched.workers, watched.workers.supervisors
        workers.send_ping()
        await wait_until(lambda: all(one._child and one._child.answered for one in (first, second)))
        assert workers.take_answer()
        former = second.pid
        workers.reload_files()
        await wait_until(lambda: second.pid not in (former, None))
        workers.send_ping()
        await wait_until(lambda: bool(first._child and first._child.answered))
        assert workers.take_answer()
        hangs.touch()
        workers.send_ping()
        await wait_until(lambda: bool(first._child and first._child.stands))
        assert not workers.take_answer(), "it serves and does not answer"
        await watched.stop()


class TestFigures:
    async def test_sums_are_over_all_and_each_has_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, WORKER, count=2)
        await until_shown(watched)
        view = await Overview(watched.workers, []).look()
        assert view.figures.ledger()["events"]["in"] == 3
        entries = [(one["worker"], one["pid"], one["events"]["in"], one["balance"]) for one in view.workers]
        balanced = {"events": 0, "frames": 0}
        assert entries == [(number, pid, number + 1, balanced) for number, pid in enumerate(list_pids(watched))]
        await watched.stop()

    async def test_one_that_starts_is_named_and_makes_the_whole_unready(self, monkeypatch: pytest.MonkeyPatch) -> None:
        program = (
            LOOKED_AT
            + """
send(kind="imported")
if start["worker"]["number"]: time.sleep(600)
send(kind="serving")
show()
while True: answer(receive())
"""
        )
        watched = Watched(monkeypatch, program, count=2)
        first, _ = watched.workers.supervisors
        await wait_until(lambda: bool(first.list_present()[0]))
        overview = Overview(watched.workers, [])
        told = ["worker 1: the serving process is starting"]
        assert list(await overview.list_hanging()) == [], "the other one's loop runs"
        assert list((await overview.look()).figures.unready_reasons()) == told
        await watched.stop()


class TestReload:
    async def test_it_goes_from_one_to_the_next(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, WORKER, count=2)
        await until_shown(watched)
        former = list_pids(watched)
        outcome = await asyncio.wait_for(watched.workers.replace_child(read_settings), 30)
        assert outcome == {"kept": 3, "drained": 0, "silence": 0.1}
        assert not {*former} & {*list_pids(watched)}
        assert (watched.workers.generation, watched.workers.reloads) == (1, {"done": 1, "failed": 0})
        view = await Overview(watched.workers, []).look()
        assert view.figures.ledger()["events"]["in"] == 3
        await watched.stop()

    async def test_one_that_can_not_be_replaced_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        program = WORKER.replace(
            'if "inherits" in start:', 'if "inherits" in start and number: sys.exit(5)\nif "inherits" in start:'
        )
        watched = Watched(monkeypatch, program, count=2)
        await until_shown(watched)
        former = list_pids(watched)
        with pytest.raises(HandOverFailed, match=r"worker 1 of 2: .*exit code 5\); replaced before it: 1$"):
            await asyncio.wait_for(watched.workers.replace_child(read_settings), 30)
        assert (list_pids(watched)[0] != former[0], list_pids(watched)[1] == former[1]) == (True, True)
        assert watched.workers.reloads == {"done": 0, "failed": 1}
        await watched.stop()

    async def test_next_program_of_main_goes_on_with_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, WORKER, count=2)
        await until_shown(watched)
        former = list_pids(watched)
        kept: list[int] = []
        frozen = json.loads(json.dumps(await watched.workers.freeze(kept)))
        assert frozen["shares"] in kept
        watched.task.cancel()
        await asyncio.wait([watched.task])
        heir = Workers({}, [], lambda: None, UsedHeaders(300), Surroundings(30.0), 2)
        await heir.adopt({**frozen, "shares": os.dup(frozen["shares"])})
        assert [one.pid for one in heir.supervisors] == former
        running = asyncio.ensure_future(heir.run())
        view = await Overview(heir, []).look()
        assert view.figures.ledger()["events"]["in"] == 3
        heir.stop()
        await asyncio.wait_for(running, 30)


class TestHeaders:
    async def test_of_two_that_ask_for_one_only_the_first_may_use_it(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        header = f"HMAC-SHA256 {int(time.time())}:{'a' * 64}"
        program = f"""
            send(kind="imported")
            while receive()["kind"] != "register": pass
            send(kind="claim_header", header={header!r})
            while (message := receive())["kind"] != "header_claimed": pass
            assert message["header"] == {header!r}
            open({str(tmp_path / "answers")!r}, "a").write(f"{{message['fresh']}}\\n")
            send(kind="serving")
            while receive()["kind"] != "stop": pass
        """
        watched = Watched(monkeypatch, program, count=2)
        await watched.wait_until_serving()
        await watched.stop()
        assert sorted((tmp_path / "answers").read_text().split()) == ["False", "True"]
        assert watched.used.list_fresh() == [header]
