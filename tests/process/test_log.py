"""The log's two formats."""

import datetime
import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from awxfast.process.log import JsonFormatter


def run_logging(settings: str) -> str:
    program = (
        "import logging; from awxfast.process.log import configure_log; from awxfast.settings import Settings;"
        f"configure_log(Settings({settings})); log = logging.getLogger('a.b');"
        "log.debug('fine'); log.info('Starting %s', 'x'); log.warning('hot')"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stderr


class Mute:
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("mute")


class TestText:
    def test_daphnes_format_and_level(self) -> None:
        first, second = run_logging("").splitlines()
        assert first.endswith(" INFO     Starting x")
        datetime.datetime.strptime(first[:19], "%Y-%m-%d %H:%M:%S")
        assert second.endswith(" WARNING  hot")

    def test_verbosity_0_shows_warnings_only(self) -> None:
        assert len(run_logging("verbosity=0").splitlines()) == 1

    def test_verbosity_2_shows_all(self) -> None:
        assert len(run_logging("verbosity=2").splitlines()) == 3

    def test_own_format(self) -> None:
        assert run_logging("log_fmt='%(name)s|%(message)s'").splitlines() == ["a.b|Starting x", "a.b|hot"]


class TestOutsidersText:
    """In our own lines: an application's may be several."""

    @pytest.mark.parametrize("settings", ["log_fmt='%(message)s'", "log_format='json'"])
    @pytest.mark.parametrize(("logger", "lines"), [("awxfast.broadcast.dialled_peer", 1), ("site", 2)])
    def test_no_name_makes_a_line_of_its_own(self, settings: str, logger: str, lines: int) -> None:
        program = (
            "import logging; from awxfast.process.log import configure_log; from awxfast.settings import Settings;"
            f"configure_log(Settings({settings}));"
            f"logging.getLogger('{logger}').warning('connected to %s', 'a\\nWARNING b\\x1b[31m\\x9b2J')"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
        if "json" in settings:
            assert json.loads(done.stderr)["message"].count("\n") == lines - 1
        else:
            assert done.stderr.count("\n") == lines
            assert ("\x1b" in done.stderr) is (lines > 1)


class TestJson:
    def test_each_line_is_an_object(self) -> None:
        entries = [json.loads(line) for line in run_logging("log_format='json'").splitlines()]
        assert [(entry["level"], entry["logger"], entry["message"]) for entry in entries] == [
            ("INFO", "a.b", "Starting x"),
            ("WARNING", "a.b", "hot"),
        ]
        assert datetime.datetime.fromisoformat(entries[0]["time"]).utcoffset() == datetime.timedelta()

    def test_traceback_stays_on_the_line(self) -> None:
        try:
            raise ValueError("broken")
        except ValueError:
            record = logging.LogRecord("n", logging.ERROR, "f", 1, "text\nmore", None, sys.exc_info())
        line = JsonFormatter().format(record)
        assert "\n" not in line
        assert "ValueError: broken" in json.loads(line)["traceback"]

    def test_text_that_is_not_unicode_is_written_all_the_same(self) -> None:
        record = logging.LogRecord("n", logging.INFO, "f", 1, "path \udcff", None, None)
        assert json.loads(JsonFormatter().format(record))["message"] == "path ?"

    def test_surrogate_in_a_traceback(self) -> None:
        try:
            raise ValueError("path \udcff")
        except ValueError:
            record = logging.LogRecord("n\udcff", logging.ERROR, "f", 1, "text", None, sys.exc_info())
        entry = json.loads(JsonFormatter().format(record))
        assert "ValueError: path ?" in entry["traceback"]
        assert entry["logger"] == "n?"

    @pytest.mark.parametrize(("message", "arguments"), [("%d seconds", ("x",)), (Mute(), ()), ("%s", (Mute(),))])
    def test_message_that_can_not_be_formatted_is_named_by_its_place(self, message: Any, arguments: Any) -> None:
        record = logging.LogRecord("n", logging.INFO, "/site/views.py", 7, message, arguments, None)
        assert "at /site/views.py:7 can't be formatted" in json.loads(JsonFormatter().format(record))["message"]

    def test_stack_stays_on_the_line(self) -> None:
        record = logging.LogRecord("n", logging.INFO, "f", 1, "text", None, None, sinfo="Stack:\n  File")
        assert json.loads(JsonFormatter().format(record))["stack"] == "Stack:\n  File"
