"""How many cores this process may use: by its affinity, and by the time that its control groups have (cgroups(7)).

A container that may use two cores of a large machine sees all of them.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
HIERARCHIES = Path("/sys/fs/cgroup")


def count_usable_cores(membership: Path = MEMBERSHIP, hierarchies: Path = HIERARCHIES) -> int:
    """At least one; a part of a core is one, too."""
    quotas = [quota for folder in list_groups(membership, hierarchies) if (quota := read_quota(folder)) is not None]
    return max(1, math.ceil(min([len(os.sched_getaffinity(0)), *quotas])))


def list_groups(membership: Path, hierarchies: Path) -> Iterator[Path]:
    """Where the groups are described that this process is in, and all those above: the smallest quota counts."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            top = hierarchies / controllers  # of version 2 it is the folder itself
            group = top / path.strip("/")
            yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(top))


def read_quota(group: Path) -> float | None:
    """Cores that a group has the time of; None: there is no limit, or nothing can be read."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = " ".join((group / name).read_text() for name in names).split()
            return int(quota) / int(period) if int(quota) > 0 else None
        except (OSError, ValueError, ZeroDivisionError):  # of version 2 `max` is no limit
            continue
    return None
