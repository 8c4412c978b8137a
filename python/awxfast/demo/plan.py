"""What the demo is asked for: its command line, read before anything that takes time is imported."""

import dataclasses
from collections.abc import Sequence

from awxfast.option_parser import OptionParser, seconds, whole_number

DESCRIPTION = (
    "Shows made-up live job output on a page of its own. Three jobs share the events; of the browsers that measure, "
    "every second one watches all jobs and the others one each, so frames are not browsers times events. Lost is what "
    "a browser watched and did not get. With --engine three nodes have a job and a browser each, whose page shows all "
    "three; one node is killed now and then, and comes back. Missed is what a browser that was there did not get."
)
ENGINES = ("redis-cluster", "nats")


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What the demo was asked for; `seconds` 0: until Ctrl-C."""

    rate: int
    browsers: int
    seconds: float
    engine: str = ""
    """What carries events between three nodes; empty: one relay alone."""


def parse_plan(words: Sequence[str]) -> Plan:
    """Ends the program where a word is wrong, or help is asked for."""
    parser = OptionParser(prog="awxfast demo", description=DESCRIPTION)
    parser.add_argument("--rate", type=whole_number(1, 100_000), default=50, help="events a second (default: 50)")
    parser.add_argument("--browsers", type=whole_number(0, 1000), default=3, help="browsers that measure (default: 3)")
    parser.add_argument("--seconds", type=seconds, default=0.0, help="how long (default: until Ctrl-C)")
    parser.add_argument(
        "--engine", choices=ENGINES, default="", metavar="KIND", help=f"three nodes over {' or '.join(ENGINES)}"
    )
    return Plan(**vars(parser.parse_args(words)))
