"""A main process for tests to kill: owns a private Redis until its input ends."""

import sys

from awxfast.redis.private import PrivateRedis

if __name__ == "__main__":
    private = PrivateRedis(allow_wheel=True)
    print(private.pid, private.url, flush=True)
    sys.stdin.read()
    private.stop()
