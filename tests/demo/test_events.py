"""Made-up job events look like AWX's (awx/main/consumers.py, emit_event_detail)."""

import datetime
import itertools
import json
import re

from awxfast.demo.events import HOSTS, MadeUpJob, Step, narrate_playbook

KEYS = [
    *("id", "job", "created", "modified", "group_name", "url", "stdout", "counter", "uuid", "parent_uuid"),
    *("start_line", "end_line", "event", "event_data", "failed", "changed", "event_level", "play", "role", "task"),
]
NOW = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, datetime.UTC)


def read_events(count: int) -> list[dict[str, object]]:
    job = MadeUpJob(42)
    return [json.loads(job.next_event(NOW)[0]) for _ in range(count)]


def split_runs(count: int) -> list[list[Step]]:
    """The steps of whole runs, each with its recap last."""
    runs: list[list[Step]] = [[]]
    for step in narrate_playbook():
        runs[-1].append(step)
        if step.event == "playbook_on_stats":
            if len(runs) == count:
                return runs
            runs.append([])
    return runs


def strip_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class TestKeys:
    def test_they_are_those_of_awx_in_its_order(self) -> None:
        assert all(list(event) == KEYS for event in read_events(100))

    def test_text_is_ascii_as_json_dumps_writes_it(self) -> None:
        text, _ = MadeUpJob(42).next_event(NOW)
        assert text.isascii()
        assert text == json.dumps(json.loads(text))

    def test_group_and_url(self) -> None:
        (event,) = read_events(1)
        assert MadeUpJob(42).group == "job_events-42"
        assert (event["job"], event["group_name"]) == (42, "job_events")
        assert event["url"] == f"/api/v2/job_events/{event['id']}"

    def test_created_is_the_time_it_was_made(self) -> None:
        (event,) = read_events(1)
        assert event["created"] == event["modified"] == "2024-05-06T07:08:09.123456+00:00"


class TestSequence:
    def test_counter_has_no_gap(self) -> None:
        assert [event["counter"] for event in read_events(200)] == list(range(1, 201))

    def test_lines_follow_one_another(self) -> None:
        for former, event in itertools.pairwise(read_events(100)):
            assert event["start_line"] == former["end_line"]
            assert event["end_line"] > event["start_line"]  # type: ignore[operator]

    def test_runs_end_with_their_statistics_and_begin_again(self) -> None:
        steps = list(itertools.islice(narrate_playbook(), 200))
        kinds = [step.event for step in steps]
        end = kinds.index("playbook_on_stats")
        assert kinds[0] == kinds[end + 1] == "playbook_on_play_start"
        assert {step.failed for step in steps} == {step.changed for step in steps} == {True, False}

    def test_recap_agrees_with_the_output(self) -> None:
        for run in split_runs(3):
            *results, recap = run
            for host in HOSTS:
                lines = [step.stdout for step in results if step.host == host]
                failed = sum("fatal: " in line for line in lines)
                changed = sum("changed: " in line for line in lines)
                (row,) = [line for line in strip_colours(recap.stdout).splitlines() if line.startswith(host)]
                counts = {"ok": len(lines) - failed, "changed": changed, "failed": failed}
                assert {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", row)} == counts

    def test_end_of_a_run_is_told(self) -> None:
        job = MadeUpJob(42)
        ends = [job.next_event(NOW) for _ in range(100)]
        assert [json.loads(text)["event"] for text, is_end in ends if is_end] == ["playbook_on_stats"] * 2

    def test_output_has_ansible_colours(self) -> None:
        stdout = "".join(str(event["stdout"]) for event in read_events(100))
        assert all(code in stdout for code in ("\x1b[0;31m", "\x1b[0;32m", "\x1b[0;33m", "\x1b[0m"))
