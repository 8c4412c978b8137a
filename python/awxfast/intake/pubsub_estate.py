"""What the intakes of a pub/sub layer leave to the process that goes on, and what becomes of it there.

Where the layer has the same Redis still, in the same order, their connections are gone on with. Else all is subscribed
to anew, and what may be lost meanwhile is counted.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from awxfast.intake.groups import Groups
from awxfast.intake.host_groups import HostGroups
from awxfast.intake.subscriber import Subscriber
from awxfast.redis.address import RedisAddress


class Part(Protocol):
    """What is subscribed to one Redis."""

    address: RedisAddress
    groups: Groups
    subscriber: Subscriber


def freeze_parts(parts: Sequence[Part]) -> dict[str, Any]:
    """All that goes on besides the connections, as JSON has it."""
    return {
        **HostGroups([part.groups for part in parts], choose=lambda _: 0).freeze(),
        "addresses": [str(part.address) for part in parts],
        "connections": [part.subscriber.freeze() for part in parts],
    }


def inherit_parts(
    parts: Sequence[Part], frozen: Mapping[str, Any], descriptors: Sequence[int], choose: Callable[[str], int]
) -> None:
    """Takes what `freeze_parts` gave, and the connections in their order. `choose` says where a group is now."""
    HostGroups([part.groups for part in parts], choose).inherit(frozen)
    sockets = (socket.socket(fileno=number) for number in descriptors)
    left = [(one, next(sockets, None) if one["passed"] else None) for one in frozen["connections"]]
    if frozen["addresses"] == [str(part.address) for part in parts]:
        for part, (connection, sock) in zip(parts, left, strict=True):
            part.subscriber.inherit(connection, sock)
        return
    for _, sock in left:
        if sock is not None:
            sock.close()
    for part in parts:
        part.subscriber.inherit(merge(frozen["connections"], is_first=part is parts[0]), None)


def merge(connections: Sequence[Mapping[str, Any]], *, is_first: bool) -> Mapping[str, Any]:
    """For a connection to a Redis of which nobody knows whether it is one of those before."""
    watched = [one["watched_until"] for one in connections if one["watched_until"] is not None]
    return {
        "repaired": sum(one["repaired"] for one in connections) if is_first else 0,
        "redis_names": [name for one in connections for name in one["redis_names"]],
        "watched_until": min(watched, default=None),
    }
