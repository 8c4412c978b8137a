"""Events whose every byte follows from who made them: so a browser can tell that it got what was sent."""

import json
import random
from bisect import bisect
from functools import cache, lru_cache
from itertools import accumulate

GROUPS = ("job_events-1", "job_events-2", "jobs-status_changed")


@cache
def filling(producer: int) -> str:
    """Text of the kind that jobs print: ASCII, escapes, other scripts."""
    letters = 'abcdefghij \u001b[0;32m\r\n"\\äß漢🤖'
    return "".join(random.Random(producer).choices(letters, k=6000))


@cache
def escaped_filling(producer: int) -> tuple[str, list[int]]:
    """The filling as JSON has it, without quotes, and where in that each of its letters begins."""
    letters = [json.dumps(letter)[1:-1] for letter in filling(producer)]
    return "".join(letters), list(accumulate(map(len, letters), initial=0))


@lru_cache(30_000)
def event_text(producer: int, number: int, group: str) -> str:
    """An event of 1 to 5 KiB as `json.dumps` writes it, `group` in it and the numbers first."""
    size = 900 + (producer * 7919 + number * 104_729) % 3_600
    text = json.dumps({"producer": producer, "number": number, "group": group, "stdout": ""})
    stdout, letters = escaped_filling(producer)
    first = letters[number % 500]
    # Cut between letters, never inside an escape.
    end = letters[bisect(letters, first + size)]
    return text[:-2] + stdout[first:end] + '"}'


def group_of(number: int) -> str:
    """Producers go round the groups."""
    return GROUPS[number % len(GROUPS)]
