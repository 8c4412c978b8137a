"""Made-up job output: the events of a playbook that never ends, with the keys of AWX's job events in AWX's order."""

import collections
import dataclasses
import datetime
import itertools
import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

PLAYS = ("Web servers", "Database servers")
HOSTS = ("web-01.example.org", "web-02.example.org", "db-01.example.org")
TASKS = (
    ("common", "Gather facts", "ansible.builtin.setup"),
    ("common", "Install packages", "ansible.builtin.dnf"),
    ("nginx", "Write the site's configuration", "ansible.builtin.template"),
    ("nginx", "Restart the web server", "ansible.builtin.service"),
)
GREEN, YELLOW, RED, PLAIN = "\x1b[0;32m", "\x1b[0;33m", "\x1b[0;31m", "\x1b[0m"
LINE_WIDTH = 80


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What happens next in a playbook."""

    event: str
    stdout: str
    level: int
    play: str = ""
    role: str = ""
    task: str = ""
    host: str = ""
    changed: bool = False
    failed: bool = False


def banner(text: str) -> str:
    """A heading as ansible-playbook prints it."""
    return f"\r\n{text} {'*' * max(3, LINE_WIDTH - len(text) - 1)}"


def narrate_playbook() -> Iterator[Step]:
    """One run after the other, each ending with its recap."""
    for run in itertools.count():
        results: list[Step] = []
        for play in PLAYS:
            yield Step("playbook_on_play_start", banner(f"PLAY [{play}]"), 1, play)
            for number, (role, task, _) in enumerate(TASKS):
                yield Step("playbook_on_task_start", banner(f"TASK [{role} : {task}]"), 2, play, role, task)
                for host_number, host in enumerate(HOSTS):
                    results.append(narrate_result(play, role, task, host, run * 7 + number * 3 + host_number))
                    yield results[-1]
        yield Step("playbook_on_stats", narrate_recap(results), 1)


def narrate_result(play: str, role: str, task: str, host: str, chance: int) -> Step:
    """What one host answers; `chance` decides between ok, changed and failed."""
    if chance % 11 == 10:
        stdout = f'{RED}fatal: [{host}]: FAILED! => {{"changed": false, "msg": "made up for the demo"}}{PLAIN}'
        return Step("runner_on_failed", stdout, 3, play, role, task, host, failed=True)
    changed = chance % 3 == 1
    stdout = f"{YELLOW}changed: [{host}]{PLAIN}" if changed else f"{GREEN}ok: [{host}]{PLAIN}"
    return Step("runner_on_ok", stdout, 3, play, role, task, host, changed=changed)


def narrate_recap(results: Sequence[Step]) -> str:
    """The table at the end of a run, of what its hosts answered; as with ansible-playbook, `ok` counts changes too.

    A row has to fit a telephone's width.
    """
    counts = {host: collections.Counter(count_as(step) for step in results if step.host == host) for host in HOSTS}
    rows = (
        f"{GREEN if not count['failed'] else RED}{host:<22}{PLAIN} : "
        f"{GREEN}ok={count['ok'] + count['changed']:<4}{PLAIN} {YELLOW}changed={count['changed']:<4}{PLAIN} "
        + (f"{RED}failed={count['failed']}{PLAIN}" if count["failed"] else "failed=0")
        for host, count in counts.items()
    )
    return "\r\n".join((banner("PLAY RECAP"), *rows))


def count_as(step: Step) -> str:
    """The column of the recap that a result belongs to."""
    if step.failed:
        return "failed"
    return "changed" if step.changed else "ok"


class MadeUpJob:
    """One running job; its counter has no gaps, so whoever reads can tell what is missing."""

    def __init__(self, job: int) -> None:
        self.job = job
        self.group = f"job_events-{job}"
        self._steps = narrate_playbook()
        self._counter = 0
        self._line = 0
        self._run = uuid.UUID(int=job)

    def next_event(self, now: datetime.datetime) -> tuple[str, bool]:
        """The next event's text, and whether it ends a run. `created` is `now`, to measure by."""
        step = next(self._steps)
        self._counter += 1
        event = self._describe(step, now.isoformat())
        self._line = event["end_line"]
        return json.dumps(event), step.event == "playbook_on_stats"

    def status(self, status: str) -> str:
        """A text for the group `jobs-status_changed`."""
        return json.dumps({"unified_job_id": self.job, "status": status, "type": "job", "group_name": "jobs"})

    def _describe(self, step: Step, created: str) -> dict[str, Any]:
        number = self.job * 1_000_000 + self._counter
        return {
            "id": number,
            "job": self.job,
            "created": created,
            "modified": created,
            "group_name": "job_events",
            "url": f"/api/v2/job_events/{number}",
            "stdout": step.stdout,
            "counter": self._counter,
            "uuid": str(uuid.UUID(int=number)),
            "parent_uuid": str(self._run),
            "start_line": self._line,
            "end_line": self._line + step.stdout.count("\r\n") + 1,
            "event": step.event,
            "event_data": self._describe_data(step),
            "failed": step.failed,
            "changed": step.changed,
            "event_level": step.level,
            "play": step.play,
            "role": step.role,
            "task": step.task,
        }

    def _describe_data(self, step: Step) -> dict[str, Any]:
        data: dict[str, Any] = {"playbook": "site.yml", "playbook_uuid": str(self._run), "play": step.play}
        if step.host:
            lines = [f"made-up line {number} of what {step.host} printed" for number in range(12)]
            data |= {"task": step.task, "role": step.role, "host": step.host, "res": {"stdout_lines": lines, "rc": 0}}
        return data
