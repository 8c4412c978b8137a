"""What main leaves to its next program, and what a trial start answers. Whole renewals: `tests/e2e/test_renewal.py`."""

import asyncio
import json
import os
import socket
from collections.abc import Iterator

import pytest
from awxfast.errors import StartError
from awxfast.process import renewal
from awxfast.process.renewal import FORMAT, LEFT, TRIAL, Trial, answer_trial, take_left


def leave(**changes: object) -> dict[str, str]:
    """An environment with a memory file, as this process would leave it to itself."""
    record = {"format": FORMAT, "pid": os.getpid(), "facts": {"a": 1}, "kept": [], **changes}
    memory = os.memfd_create("test")
    os.write(memory, json.dumps(record).encode())
    return {LEFT: str(memory), "OTHER": "x"}


class TestLeft:
    def test_process_that_was_started_has_nothing(self) -> None:
        assert take_left({"OTHER": "x"}) is None

    def test_facts_are_taken_once_and_the_variable_is_gone(self) -> None:
        environ = leave()
        left = take_left(environ)
        assert left is not None
        assert (left.facts, environ) == ({"a": 1}, {"OTHER": "x"})

    def test_descriptors_are_kept_from_other_programs(self) -> None:
        kept = os.memfd_create("kept", 0)
        os.set_inheritable(kept, True)
        left = take_left(leave(kept=[kept]))
        assert left is not None
        assert (left.kept, os.get_inheritable(kept)) == ([kept], False)
        os.close(kept)

    @pytest.mark.parametrize("change", [{"format": FORMAT + 1}, {"pid": 1}])
    def test_what_another_program_left_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(StartError, match="unset it"):
            take_left(leave(**change))

    def test_variable_that_names_no_memory_is_refused(self) -> None:
        with pytest.raises(StartError, match="unset it"):
            take_left({LEFT: "what"})


def ask(main: socket.socket, theirs: socket.socket, **asked: object) -> dict[str, str]:
    """The environment of a trial start that main has asked."""
    main.sendall(json.dumps({"kind": "trial", **asked}).encode() + b"\n")
    return {TRIAL: str(theirs.detach())}


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Main's end of a pipe, and that of a trial start."""
    ours, theirs = socket.socketpair()
    with ours:
        yield ours, theirs
        theirs.close()


class TestTrial:
    def test_start_that_nobody_tries_goes_on(self) -> None:
        assert not answer_trial({}, lambda redis: "never asked")

    def test_settings_are_answered_with_the_redis_that_there_is(
        self, ends: tuple[socket.socket, socket.socket]
    ) -> None:
        environ = ask(*ends, format=FORMAT, redis="unix:///r")
        assert answer_trial(environ, lambda redis: f"settings with {redis}")
        answer = json.loads(ends[0].recv(65536))
        assert answer == {"kind": "understood", "settings": "settings with unix:///r"}

    async def test_signals_that_are_sent_to_all_processes_do_not_end_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        program = ["/bin/sh", "-c", "for name in HUP USR1 USR2 INT TERM; do kill -$name $$; done; echo it goes on"]
        monkeypatch.setattr(renewal, "own_program", lambda: program)
        trial = await Trial.start()
        assert await trial.wait_for_answer(asyncio.Event()) is None
        assert await trial.read_last_words() == "it goes on"
        await trial.end()

    @pytest.mark.parametrize("number", ["what", "-1", "99999999999999999999", "1000000"])
    def test_variable_that_names_no_pipe_is_refused(self, number: str) -> None:
        with pytest.raises(StartError, match=r"AWXFAST_TRIAL_START is set, .*; unset it"):
            answer_trial({TRIAL: number}, lambda redis: "never asked")

    def test_another_format_is_not_gone_on_with(self, ends: tuple[socket.socket, socket.socket]) -> None:
        environ = ask(*ends, format=FORMAT + 1, redis=None)
        with pytest.raises(StartError, match="it goes on with format"):
            answer_trial(environ, lambda redis: "never asked")

    def test_fault_in_the_settings_is_the_starts_own(self, ends: tuple[socket.socket, socket.socket]) -> None:
        def refuse(_: str | None) -> str:
            raise StartError("--auth: no such file")

        with pytest.raises(StartError, match="no such file"):
            answer_trial(ask(*ends, format=FORMAT, redis=None), refuse)
