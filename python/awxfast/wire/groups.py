"""Which names a group may have: Channels' rule, for browsers' commands and for keys in Redis alike."""

import re

BACKPLANE_GROUP = "broadcast-group_send"
"""Every event of every job goes to it, for nodes of AWX's broadcast era; no browser may have it."""

_VALID = re.compile(r"[A-Za-z0-9\-_.]{1,99}")


def is_valid_group(group: str) -> bool:
    """Whether Channels takes it for a group: 1 to 99 of letters, digits, hyphen, underscore and period."""
    return _VALID.fullmatch(group) is not None
