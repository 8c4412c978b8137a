"""Writes what `group_send` would where a layer has several Redis: here databases of one, each group on its own."""

from collections.abc import Sequence

from awxfast.wire.host_choice import choose_host

from traffic.direct_queue import DirectQueue

HOSTS = 3


class HostQueues:
    """The queues of the groups' members, as found when it is made. Events go to the groups in turns."""

    def __init__(self, redis_url: str, groups: Sequence[str], template: bytes) -> None:
        urls = list_hosts(redis_url)
        self._queues = [DirectQueue(urls[choose_host(group, HOSTS)], [group], template) for group in groups]

    def send(self, first: int, count: int, made_ns: int) -> None:
        """Writes the events `first` to `first + count - 1`; a group's are numbered on their own."""
        groups = len(self._queues)
        for place, queue in enumerate(self._queues):
            begin, end = (-((place - number) // groups) for number in (first, first + count))
            if end > begin:
                queue.send(begin, end - begin, made_ns)

    def depth(self) -> int:
        """How many events wait, in the fullest queue."""
        return max(queue.depth() for queue in self._queues)


def list_hosts(redis_url: str) -> list[str]:
    """The hosts of a layer that is spread over databases of one Redis."""
    return [f"{redis_url}?db={number}" for number in range(HOSTS)]
