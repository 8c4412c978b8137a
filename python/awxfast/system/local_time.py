"""The local time of the machine, whatever zone an application sets for its process (Django's TIME_ZONE does that)."""

import datetime
import functools
import os
import time
import zoneinfo
from pathlib import Path

MACHINES_ZONE = Path("/etc/localtime")


@functools.cache
def local_zone() -> datetime.tzinfo:
    """The zone when this was asked for first, which has to be before an application is imported (tzset(3))."""
    name = os.environ.get("TZ")
    try:
        if name is None or name.startswith((":/", "/")):
            with (Path(name.lstrip(":")) if name else MACHINES_ZONE).open("rb") as file:
                return zoneinfo.ZoneInfo.from_file(file)
        return zoneinfo.ZoneInfo(name.lstrip(":") or "UTC")
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return datetime.datetime.now().astimezone().tzinfo or datetime.UTC  # what the C library makes of it now


def local_now() -> datetime.datetime:
    """The time by that clock."""
    return datetime.datetime.now(local_zone())


def local_struct(seconds: float | None = None) -> time.struct_time:
    """Unix time by that clock, as `logging.Formatter.converter` gives it."""
    return datetime.datetime.fromtimestamp(time.time() if seconds is None else seconds, local_zone()).timetuple()
