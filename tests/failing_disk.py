"""A Redis that can't save, and so refuses to write: `MISCONF`."""

import time
from pathlib import Path

import redis


def fail_to_save(client: redis.Redis) -> None:
    (Path(client.config_get("dir")["dir"]) / "dump.rdb").mkdir()  # so that no file can be put there
    client.config_set("save", "3600 1000000")
    client.set("unsaved", 1)
    client.bgsave()
    while client.info("persistence")["rdb_bgsave_in_progress"]:
        time.sleep(0.01)
