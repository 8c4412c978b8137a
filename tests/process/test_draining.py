"""Stand-ins for serving processes whose place another one has taken."""

import pytest
from awxfast.errors import HandOverFailed
from awxfast.process import supervisor
from stand_ins import Watched, wait_until

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
        assert (await watched.workers.replace_child())["drained"] == 1
        await wait_until(lambda: "did not leave within 0.2 s" in caplog.text)
        await watched.workers.replace_child()
        assert "ended unasked" not in caplog.text
        await watched.stop()

    async def test_more_than_a_few_are_refused_and_all_are_asked_to_stop(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, DRAINS)
        await watched.wait_until_serving()
        for _ in range(supervisor.MOST_DRAINING):
            await watched.workers.replace_child()
        with pytest.raises(HandOverFailed, match="still drain"):
            await watched.workers.replace_child()
        await watched.stop()
