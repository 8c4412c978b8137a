"""Streams whose reader reads, reads late, or never."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from awxfast.system import queued_stream
from awxfast.system.queued_stream import BOUND, dropped_lines, open_queued
from servers import HANG, wait_for


class Pipe:
    """A queued stream into a pipe that is read when the test wants it."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        self.stream = open_queued(writer, "test", owned=True)

    def read_all(self) -> bytes:
        """Closes the stream, and reads to the end."""
        self.stream.close()
        with os.fdopen(self.reader, "rb") as reader:
            return reader.read()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.stream.close()
    with contextlib.suppress(OSError):
        os.close(pipe.reader)


class TestReaderThatReads:
    def test_it_gets_all_in_order(self, pipe: Pipe) -> None:
        lines = [f"{number} {'x' * (number % 300)}\n" for number in range(2000)]
        got: list[bytes] = []

        def read() -> None:
            with os.fdopen(pipe.reader, "rb", closefd=False) as reader:
                got.append(reader.read())

        reader = threading.Thread(target=read)
        reader.start()
        for line in lines:
            pipe.stream.write(line)
        pipe.stream.close()
        reader.join(HANG)
        assert got == ["".join(lines).encode()]

    def test_no_text_is_refused(self, pipe: Pipe) -> None:
        pipe.stream.write("path \udcff \u2028\n")
        assert pipe.read_all() == b"path \\udcff \xe2\x80\xa8\n"

    def test_what_prints_in_parts_is_one_line(self, pipe: Pipe) -> None:
        print("a", "b", file=pipe.stream)
        assert pipe.read_all() == b"a b\n"


class TestReaderThatDoesNot:
    def test_writer_never_waits_and_what_is_dropped_is_counted(
        self, pipe: Pipe, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queued_stream, "LOOK_SECONDS", 0.01)
        before = dropped_lines()["test"]
        for number in range(4 * BOUND // 1000):
            pipe.stream.write(f"{number:999}\n")
        dropped = dropped_lines()["test"] - before
        assert dropped > 2 * BOUND // 1000
        wait_for(lambda: "lines of the test were dropped: nobody reads it" in caplog.text)
        kept = pipe.read_all().splitlines()
        assert len(kept) + dropped == 4 * BOUND // 1000
        assert [int(line) for line in kept] == sorted(int(line) for line in kept)
        assert dropped_lines()["test"] - before == dropped

    def test_drain_gives_up(self, pipe: Pipe) -> None:
        pipe.stream.write("x" * 200_000)
        queued_stream.drain_streams(0.01)
        assert len(pipe.read_all()) == 200_000

    def test_reader_that_is_gone(self, pipe: Pipe, caplog: pytest.LogCaptureFixture) -> None:
        os.close(pipe.reader)
        pipe.stream.write("nobody\n")
        wait_for(lambda: "1 lines of the test were dropped: Broken pipe" in caplog.text)


class TestProcess:
    def run(self, program: str, **popen: object) -> subprocess.CompletedProcess[str]:
        program = (
            "import logging, os, sys; from awxfast.process.log import configure_log;"
            f"from awxfast.settings import Settings; configure_log(Settings());{program}"
        )
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=HANG
        )

    def test_exit_waits_for_what_was_written(self) -> None:
        done = self.run("[print(n) for n in range(3000)]; [logging.warning(n) for n in range(3000)]")
        assert done.stdout.split() == [str(number) for number in range(3000)]
        assert len(done.stderr.splitlines()) == 3000

    def test_forked_process_writes_by_itself(self) -> None:
        done = self.run("print('a'); p = os.fork(); print('b' if p == 0 else 'c'); p and os.waitpid(p, 0)")
        assert sorted(done.stdout.split()) == ["a", "b", "c"]

    def test_streams_of_others_are_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        theirs = io.StringIO()
        monkeypatch.setattr(sys, "stdout", theirs)
        monkeypatch.setattr(sys, "stderr", theirs)
        queued_stream.queue_standard_streams()
        assert sys.stdout is theirs
        assert sys.stderr is theirs

    def test_thread_takes_no_signals(self) -> None:
        blocked: list[set[int]] = []
        queued_stream.start_thread(lambda: blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))).join(HANG)
        assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} <= blocked[0]
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
