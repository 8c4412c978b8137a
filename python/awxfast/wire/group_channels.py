"""The names under which `channels_redis.pubsub` publishes: one of Redis' channels for each group and each channel."""

GROUPS = "__group__"
SPECIFIC = "specific."
OWN_DIGITS = 16
"""Of the 32 hex digits of a channel's name: those that all channels of one process share."""


def group_channel(prefix: str, group: str) -> str:
    """Where events of a group are published."""
    return f"{prefix}{GROUPS}{group}"


def begin_of_channels(prefix: str, token: str) -> str:
    """What the names of all channels of one process begin with; the other digits are a channel's own."""
    return f"{prefix}{SPECIFIC}{token[:OWN_DIGITS]}"


def escape_pattern(text: str) -> str:
    """Matches itself alone, in a pattern of Redis'."""
    return "".join(f"\\{char}" if char in "*?[]\\" else char for char in text)
