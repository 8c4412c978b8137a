"""One stand-in for the serving process succeeds another, or does not."""

import asyncio
from pathlib import Path

import pytest
from awxfast.errors import HandOverFailed
from awxfast.process import succession, supervisor
from stand_ins import HEIR, SERVES, Watched, read_settings, wait_until

SILENT_HEIR = """
    if "inherits" in start: send(kind="ready", format=[1])
    else:
        send(kind="serving")
        while (kind := receive()["kind"]) not in ("hand_over", "stop"): pass
        if kind == "hand_over": {last_word}
    while receive()["kind"] != "stop": pass
"""


class TestHeir:
    async def test_one_that_has_succeeded_is_the_serving_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, HEIR)
        await watched.wait_until_serving()
        outcome = await asyncio.wait_for(watched.workers.replace_child(read_settings), 30)
        assert (outcome["kept"], outcome["silence"], watched.workers.generation) == (3, 0.25, 1)
        await wait_until(lambda: watched.workers.serves)
        watched.workers.send_ping()
        await wait_until(watched.workers.take_answer)
        assert watched.serving.empty()  # nobody is told of a second start
        await watched.stop()

    async def test_new_one_that_says_nothing_is_told_as_such(self, monkeypatch: pytest.MonkeyPatch) -> None:
        program = """
            send(kind="ready", format=[1]) if "inherits" in start else send(kind="serving")
            while receive()["kind"] != "stop": pass
        """
        monkeypatch.setattr(succession, "HAND_OVER_LIMIT", 0.1)
        monkeypatch.setattr(succession, "OTHERS_WORD", 0.1)
        watched = Watched(monkeypatch, program)
        await watched.wait_until_serving()
        with pytest.raises(HandOverFailed, match="the new process has not said in time that it serves"):
            await asyncio.wait_for(watched.workers.replace_child(), 60)
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
        replacing = asyncio.ensure_future(watched.workers.replace_child(read_settings))
        await asyncio.sleep(0)
        watched.workers.reload_files()
        with pytest.raises(HandOverFailed, match=r"the old process ended \(exit code -9\)"):
            await asyncio.wait_for(replacing, 30)
        await watched.wait_until_serving()
        watched.workers.stop()
        await watched.stop()

    @pytest.mark.parametrize(
        "last_word", ['send(kind="left", can_go_on=False); os.kill(os.getpid(), 9)', "os._exit(0)"]
    )
    async def test_silent_one_has_all_where_the_old_one_has_left(
        self, monkeypatch: pytest.MonkeyPatch, last_word: str
    ) -> None:
        watched = Watched(monkeypatch, SILENT_HEIR.format(last_word=last_word))
        monkeypatch.setattr(succession, "OTHERS_WORD", 0.1)
        await watched.wait_until_serving()
        assert await asyncio.wait_for(watched.workers.replace_child(), 60) == {}
        await watched.stop()

    async def test_silent_one_is_not_wanted_where_the_old_one_could_go_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(succession, "HAND_OVER_LIMIT", 0.1)
        watched = Watched(monkeypatch, SILENT_HEIR.format(last_word='send(kind="left", can_go_on=True)'))
        monkeypatch.setattr(succession, "OTHERS_WORD", 0.1)
        await watched.wait_until_serving()
        with pytest.raises(HandOverFailed, match="the new process has not said in time that it serves"):
            await asyncio.wait_for(watched.workers.replace_child(), 60)
        await watched.stop()

    async def test_silent_one_has_nothing_where_the_old_one_was_killed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It may be stopped, and nobody would serve."""
        watched = Watched(monkeypatch, SILENT_HEIR.format(last_word="os.kill(os.getpid(), 9)"))
        monkeypatch.setattr(succession, "OTHERS_WORD", 0.1)
        await watched.wait_until_serving()
        with pytest.raises(
            HandOverFailed, match=r"the old process ended \(exit code -9\), and the new one does not say"
        ):
            await asyncio.wait_for(watched.workers.replace_child(), 60)
        await watched.wait_until_serving()
        assert watched.supervisor.generation == 0
        watched.supervisor.stop()
        await watched.stop()


class TestNewProcessThatCanNotBeStarted:
    async def test_old_one_goes_on_and_each_failure_is_counted(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        watched = Watched(monkeypatch, SERVES)
        await watched.wait_until_serving()
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", (str(tmp_path / "python"),))
        for _ in range(2):
            with pytest.raises(HandOverFailed, match="No such file"):
                await watched.workers.replace_child(read_settings)
        assert watched.workers.serves
        assert watched.workers.reloads == {"done": 0, "failed": 2}
        await watched.stop()
