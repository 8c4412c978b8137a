"""Memory that this process does not need any more."""

import contextlib
import ctypes


def give_back_memory() -> None:
    """Gives the kernel what was used for a moment and is free now (malloc_trim(3)); a millisecond.

    The C library keeps it for later, else, between what is still in use. One that is not glibc does as it likes.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
