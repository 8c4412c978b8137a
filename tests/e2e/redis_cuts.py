"""Ends the connections of a relay that its events come by."""

import redis

POPS = {"bzmpop", "bzpopmin", "zpopmin", "blmpop", "brpop", "rpop"}


def cut_pop(client: redis.Redis) -> bool:
    """Ends the connection that waits for events in a queue; whether there was one."""
    popping = [entry["id"] for entry in client.client_list() if entry["cmd"] in POPS]
    return bool(popping and client.client_kill_filter(_id=popping[0]))


def cut_subscriptions(client: redis.Redis) -> bool:
    """Ends connections that are subscribed; whether there was one."""
    return bool(client.client_kill_filter(_type="pubsub"))
