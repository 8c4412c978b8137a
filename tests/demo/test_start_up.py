"""What the demo says while it starts."""

import re

import pytest
from awxfast.demo.start_up import StartUp
from servers import wait_for


class TestStartUp:
    def test_long_start_has_a_line_now_and_then(self, capsys: pytest.CaptureFixture[str]) -> None:
        said: list[str] = []
        with StartUp(interval=0.01):
            wait_for(lambda: said.append(capsys.readouterr().out) or "".join(said).count("\n") >= 2)
        lines = "".join(said).splitlines()
        assert [line for line in lines if not re.fullmatch(r"  \d+ s", line)] == []

    def test_short_start_has_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        with StartUp(interval=3600) as start_up:
            start_up.end()
        assert capsys.readouterr().out == ""
