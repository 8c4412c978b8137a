"""Events whose every byte follows from who made them: so a browser can tell that it got what was sent."""

import json
import random
from functools import cache, lru_cache

GROUPS = ("job_events-1", "job_events-2", "jobs-status_changed")


@cache
def filling(producer: int) -> str:
    """Text of the kind that jobs print: ASCII, escapes, other scripts."""
    letters = 'abcdefghij \u001b[0;32m\r\n"\\äß漢🤖'
    return "".join(random.Random(producer).choices(letters, k=6000))


@lru_cache(30_000)
def event_text(producer: int, number: int, group: str) -> str:
    """An event of 1 to 5 KiB as `json.dumps` writes it, `group` in it and the numbers first."""
    size = 900 + (producer * 7919 + number * 104_729) % 3_600
    text = json.dumps({"producer": producer, "number": number, "group": group, "stdout": ""})
    stdout = json.dumps(filling(producer)[number % 500 :])[1:]
    # Never cut inside an escape: the longest is a surrogate pair of 12 characters.
    cut = size
    while "\\" in stdout[cut - 12 : cut]:
        cut += 1
    return text[:-2] + stdout[:cut] + '"}'


def group_of(number: int) -> str:
    """Producers go round the groups."""
    return GROUPS[number % len(GROUPS)]
