"""The front door: which command a word means, exit codes, and the last line on stderr."""

import logging

import pytest
from awxfast import __version__, cli
from awxfast.errors import ConfigurationError, StartError
from main_process import run_to_its_end


class TestCommands:
    @pytest.mark.parametrize("words", [["--version"], ["--help"], ["demo", "--help"], ["status", "--help"]])
    def test_help_and_version_end_well(self, words: list[str]) -> None:
        done = run_to_its_end(*words)
        assert (done.returncode, done.stderr) == (0, "")
        assert "awxfast" in done.stdout

    def test_version_is_the_packages(self) -> None:
        assert run_to_its_end("--version").stdout == f"awxfast {__version__}\n"

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (["doctor"], "doctor is not built yet"),
            (["reload", "--admin", "8058"], "--admin '8058'"),
            (["reload", "--pid", "1", "--admin", "x"], "not allowed with argument"),
            (["serve"], "no command 'serve'"),
            (["awx.asgi:"], "give module:attribute"),
            (["--no-such-option"], "--no-such-option"),
            (["--compress"], "--compress is not built yet"),
            (["-e", "ssl:443:privateKey=k:certKey=c"], "certKey=c: No such file"),
            (["-e", "systemd:domain=INET:index=0"], "systemd has passed 0 sockets"),
            (["demo", "--rate", "0"], "--rate"),
            (["demo", "twice"], "twice"),
            (["status", "--admin", "8058"], "--admin '8058'"),
        ],
    )
    def test_wrong_words_are_named_with_exit_code_2(self, words: list[str], text: str) -> None:
        done = run_to_its_end(*words)
        last = done.stderr.splitlines()[-1]
        assert (done.returncode, done.stdout) == (2, "")
        assert last.startswith("awxfast: ") and text in last
        assert "Traceback" not in done.stderr

    def test_nobody_answers_status(self) -> None:
        done = run_to_its_end("status", "--admin", "/no/such.sock")
        assert done.returncode == 1
        assert done.stderr.startswith("awxfast: no answer at /no/such.sock")
        assert len(done.stderr.splitlines()) == 1


class TestExitCodes:
    def run_raising(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
        def fail(words: object) -> int:
            raise error

        monkeypatch.setattr(cli, "run_server", fail)
        return cli.main([])

    @pytest.mark.parametrize(
        ("error", "exit_code"),
        [
            (ConfigurationError("x"), 2),
            (StartError("x"), 1),
            (RuntimeError("x"), 1),
            (KeyboardInterrupt(), 1),
        ],
    )
    def test_each_kind_of_error(self, monkeypatch: pytest.MonkeyPatch, error: BaseException, exit_code: int) -> None:
        assert self.run_raising(monkeypatch, error) == exit_code

    def test_one_line_whatever_the_text(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.run_raising(monkeypatch, RuntimeError("two\nlines"))
        assert capsys.readouterr().err == "awxfast: unexpected RuntimeError: two lines; -v 2 shows where\n"

    def test_traceback_is_a_debugging_line(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            self.run_raising(monkeypatch, RuntimeError("x"))
        assert caplog.records[-1].levelno == logging.DEBUG
        assert caplog.records[-1].exc_info is not None
