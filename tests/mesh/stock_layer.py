"""channels_redis as AWX sets it up, and what stock processes put into it."""

import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer
from layer_forms import LayerForm, chosen_form
from redis.exceptions import RedisError
from stock_producers import StockProcess

BACKPLANE = "broadcast-group_send"
METRICS = "metrics"
CAPACITY = 10_000
GROUP_EXPIRY = 157_784_760
END = {"type": "end"}
POLL = 0.25
"""Seconds of one blocking pop. The layer's own 5 are how long it may stall when a channel goes; tests wait for that."""


def new_layer(redis_url: str, **options: Any) -> RedisChannelLayer:
    """A layer with a process name of its own, as each AWX process has one."""
    layer = RedisChannelLayer(hosts=[redis_url], capacity=CAPACITY, group_expiry=GROUP_EXPIRY, **options)
    layer.brpop_timeout = POLL
    return layer


def new_sender(redis_urls: Sequence[str]) -> Any:
    """A layer of this run's form, to send by; in a process of its own where the form needs another Python."""
    form = chosen_form()
    if LayerForm.chosen == "core":
        return new_layer(redis_urls[0])
    if (python := form.python()) != sys.executable:
        return StockProcess(python, form.configure(redis_urls, group_expiry=GROUP_EXPIRY))
    return form.new_layer(redis_urls, group_expiry=GROUP_EXPIRY)


async def end_receiver(layer: RedisChannelLayer, channel: str, task: asyncio.Task[None]) -> None:
    """Ends a loop of `receive` by a message. One that is cancelled may take a message of its whole process with it."""
    try:
        await layer.send(channel, END)
        await asyncio.wait_for(task, POLL)
    except (OSError, RedisError, TimeoutError, ChannelFull):
        await cancel_all([task])


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Until they are done: `wait_for`, which redis-py uses, may swallow a cancellation before Python 3.12.

    What they failed of at the same moment is nobody's any more.
    """
    tasks = set(tasks)
    while pending := {task for task in tasks if not task.done()}:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=POLL)
    await asyncio.gather(*tasks, return_exceptions=True)


def internal_message(text: str) -> dict[str, Any]:
    return {"type": "internal.message", "text": text}


async def send_event(layer: RedisChannelLayer, era: str, group: str, text: str) -> None:
    """One event as a producer of the era sends it: twice in the broadcast era, marked in the relay era."""
    if era == "relay":
        await layer.group_send(group, {**internal_message(text), "needs_relay": True})
        return
    await layer.group_send(group, internal_message(text))
    await layer.group_send(BACKPLANE, internal_message(json.dumps({"group": group, "message": text})))


def metrics_key(message: dict[str, Any]) -> str:
    """Where metrics of an instance are kept; from AWX 23.8 on with their namespace in the name."""
    namespace = message.get("metrics_namespace")
    return f"awx_metrics{'' if namespace is None else f'-{namespace}'}_instance_{message['instance']}"
