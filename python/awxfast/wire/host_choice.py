"""Which of several Redis a name belongs to: channels_redis' own hash, so that all programs of a site agree."""

import zlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from awxfast.settings import LayerSettings
from awxfast.wire.group_channels import group_channel

SLOTS = 4096
"""What its hash is cut down to; hosts share them in equal parts."""
MOST_HOSTS = 64
"""More than any site has. A process has a name of its own for each, which are tried until one belongs there."""

One = TypeVar("One")


def choose_host(name: str | bytes, hosts: int) -> int:
    """The place, among `hosts`, of the one that has the key of a group, or the queue of a non-local channel name."""
    if hosts == 1:
        return 0
    encoded = name.encode() if isinstance(name, str) else name
    return int((zlib.crc32(encoded) & (SLOTS - 1)) / (SLOTS / hosts))


def choose_by_group(layer: LayerSettings, hosts: int) -> Callable[[str], int]:
    """Says where a group is: by its name, or by that of Redis' channel where nothing is stored."""
    if layer.layer == "pubsub":
        return lambda group: choose_host(group_channel(layer.prefix, group), hosts)
    return lambda group: choose_host(group, hosts)


def cut_to_queue(channel: str) -> str:
    """A channel's non-local name: up to and including the first `!`. It names the queue, and so says the host."""
    name, bang, _ = channel.partition("!")
    return name + bang


def sort_by_host(ones: Iterable[One], choose: Callable[[One], int]) -> dict[int, list[One]]:
    """Each with the others that belong to the same host, as `choose` says; those of a host in their order."""
    sorted_ones: dict[int, list[One]] = {}
    for one in ones:
        sorted_ones.setdefault(choose(one), []).append(one)
    return sorted_ones
