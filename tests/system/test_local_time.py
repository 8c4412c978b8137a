"""The machine's clock, in zones of every kind."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, time
from awxfast.system.local_time import local_now, local_struct, local_zone
local_zone()
os.environ["TZ"] = "Asia/Tokyo"
time.tzset()
print(local_struct(1_700_000_000).tm_hour, local_now().utcoffset().total_seconds() / 3600)
"""


class TestLocalZone:
    @pytest.mark.parametrize(
        ("zone", "hour", "offsets"),
        [
            ("America/Bogota", 17, {-5}),
            (":America/Bogota", 17, {-5}),
            ("/usr/share/zoneinfo/America/Bogota", 17, {-5}),
            ("America/New_York", 17, {-5, -4}),
            ("", 22, {0}),
            ("IST-5:30", 3, {5.5}),
            ("no zone at all", 22, {0}),
        ],
    )
    def test_it_is_the_first_one_that_was_set(self, zone: str, hour: int, offsets: set[float]) -> None:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env={"TZ": zone}, capture_output=True, text=True, check=True, timeout=60
        )
        shown, offset = done.stdout.split()
        assert int(shown) == hour
        assert float(offset) in offsets
