"""What a user of Redis must be allowed to do for an intake: keys below the layer's prefix and awxfast's own."""

from collections.abc import Callable, Mapping, Sequence

from awxfast.intake.names import CLEAN_UP_LOCK, ProcessNames
from awxfast.intake.queue_pops import pops_of, size_command
from awxfast.redis.commands import Command
from awxfast.redis.rights import Need
from awxfast.redis.server_facts import ServerFacts
from awxfast.settings import LayerSettings
from awxfast.wire.group_channels import begin_of_channels, escape_pattern, group_channel

OWN = ("~awxfast:*",)
LOOKING: Mapping[str, Callable[[str], Sequence[Command]]] = {
    "core": lambda queue: [("ZREMRANGEBYRANK", queue, 0, 0)],
    "lists": lambda queue: [("LRANGE", queue, 0, 0), ("LTRIM", queue, 0, 0)],
}
"""What a pop that looks at lengths runs in its script, by the form of the layer."""


def list_needs(names: ProcessNames, facts: ServerFacts, layer: str = LayerSettings.layer) -> Sequence[Need]:
    """All commands that it sends, as it points them, to a Redis that says this of itself; for a layer of this form."""
    layers = (f"~{names.prefix}*",)
    group = names.group_key(names.sentinel)
    return (
        Need(("TYPE", names.queue), layers),
        Need(("ZADD", group, "XX", "INCR", 0, "x"), layers),
        Need(("EXPIRE", group, 1), layers),
        *(Need(command, layers) for command in list_queue_commands(names.queue, facts, layer)),
        Need(("SET", names.prefix_key, "x"), OWN),
        Need(("HSET", names.process_key, "x", "x"), OWN),
        Need(("HDEL", names.process_key, "x"), OWN),
        Need(("SADD", names.groups_key, "x"), OWN),
        Need(("ZSCORE", group, "x"), layers, is_vital=False),
        Need(("ZREM", group, "x"), layers, is_vital=False),
        Need(("ZRANGE", group, 0, -1), layers, is_vital=False),
        Need(("ZREMRANGEBYSCORE", names.queue, 0, 0), layers, is_vital=False),
        *(Need(command, layers, is_vital=False) for command in LOOKING[layer](names.queue)),
        Need(("DEL", names.queue), layers, is_vital=False),
        Need(("MEMORY", "USAGE", names.queue), layers, is_vital=False),
        Need(("EXPIRE", names.process_key, 1), OWN, is_vital=False),
        Need(("SREM", names.groups_key, "x"), OWN, is_vital=False),
        Need(("SMEMBERS", names.groups_key), OWN, is_vital=False),
        Need(("HGETALL", names.process_key), OWN, is_vital=False),
        Need(("GET", names.prefix_key), OWN, is_vital=False),
        Need(("DEL", CLEAN_UP_LOCK), OWN, is_vital=False),
        Need(("WATCH", names.process_key), OWN, is_vital=False),
        Need(("UNWATCH",), is_vital=False),
        Need(("SCAN", 0), is_vital=False),
        Need(("EVAL", "return 1", 0), is_vital=False),
        Need(("EVALSHA", "x", 0), is_vital=False),
        Need(("INFO", "server"), is_vital=False),
        Need(("CLIENT", "ID"), is_vital=False),
        Need(("CLIENT", "UNBLOCK", 1), is_vital=False),
    )


def list_pubsub_needs(names: ProcessNames, facts: ServerFacts, *, has_channels: bool) -> Sequence[Need]:
    """The same where nothing is stored: channels of Redis', and no keys.

    `has_channels`: this process has channels of its own. It subscribes to them by one pattern, which Redis compares
    with those of the user as a text: but for all channels there is no pattern that allows it.
    """
    groups = (f"&{escape_pattern(group_channel(names.prefix, ''))}*",)
    channel = group_channel(names.prefix, names.sentinel)
    begin = escape_pattern(begin_of_channels(names.prefix, names.token))
    return (
        Need(("PING",)),
        Need(("SUBSCRIBE", channel), groups),
        *([Need(("PSUBSCRIBE", f"{begin}*"), ("allchannels",))] if has_channels else []),
        Need(("UNSUBSCRIBE", channel), is_vital=False),
        Need(("PUBLISH", channel, "x"), groups, is_vital=False),
        Need(("PUBSUB", "NUMSUB", channel), is_vital=False),
        Need(("INFO", "server"), is_vital=False),
    )


def list_queue_commands(queue: str, facts: ServerFacts, layer: str) -> Sequence[Command]:
    """What the drain can't do without: those that pop, but for a transaction's ends, and the one that counts."""
    pops = pops_of(layer, queue, 1)
    pops.begin(facts)
    taking = [command for command in pops.take(1) if len(command) > 1]
    return [size_command(layer, queue), *taking, pops.wait(1)]
