"""How many descriptors this process may have."""

import resource

NO_LIMIT = 1 << 20
"""What an unlimited process gets in fact: Linux' default for fs.nr_open."""


def descriptor_limit() -> int:
    """The soft limit, as it is now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return NO_LIMIT if soft == resource.RLIM_INFINITY else soft
