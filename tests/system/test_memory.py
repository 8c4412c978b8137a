"""What a process has in use, in one of its own."""

import subprocess
import sys

PROGRAM = """
import ctypes
from awxfast.system.memory import give_back_memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def resident():
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))

pieces = [libc.malloc(4000) for _ in range(20_000)]
for piece in pieces:
    ctypes.memset(piece, 1, 4000)
before = resident()
for piece in pieces[:-1]:  # the last one is still in use: what lies below it is not the end of the heap
    libc.free(piece)
kept = resident()
give_back_memory()
print(before - kept, before - resident())
"""


def test_what_was_used_for_a_moment_is_the_kernels_again() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    kept, given_back = map(int, done.stdout.split())
    assert given_back > 60_000, "of 78,000 KiB"
    assert kept < given_back
