"""`group_send` over connections that the process keeps, to the one Redis of a layer or to several."""

from collections.abc import Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.producer.group_sends import GroupSends
from awxfast.producer.kept_sockets import KeptSockets
from awxfast.redis.address import RedisAddress
from awxfast.settings import LayerSettings


class HostSends:
    """Runs the steps of `GroupSends`. Safe across threads and loops."""

    def __init__(self, layer: LayerSettings, entry_format: EntryFormat, addresses: Sequence[RedisAddress]) -> None:
        self._kept = [KeptSockets(address) for address in addresses]
        self._sends = GroupSends(layer, entry_format, len(addresses))

    def send(self, group: str, message: Mapping[str, Any]) -> Sequence[int]:
        """How many queues were full, and of how many; in code that may block.

        Raises `TypeError` for what the serializer can't write, `ConnectionError`, and `hiredis.ReplyError` for a
        refusal.
        """
        steps, answer = self._sends.steps(group, message), None
        while True:
            try:
                host, script, words = steps.send(answer)
            except StopIteration as end:
                return read_result(end)
            answer = self._kept[host].run_script(script, words)

    async def send_later(self, group: str, message: Mapping[str, Any]) -> Sequence[int]:
        """The same as `send`, in code that must not block."""
        steps, answer = self._sends.steps(group, message), None
        while True:
            try:
                host, script, words = steps.send(answer)
            except StopIteration as end:
                return read_result(end)
            with self._kept[host].borrow() as redis:
                answer = await redis.run_script_later(script, words)

    def close(self) -> None:
        """Closes the connections that are idle."""
        for kept in self._kept:
            kept.close()


def read_result(end: StopIteration) -> Sequence[int]:
    """What the steps came to."""
    result: Sequence[int] = end.value
    return result
