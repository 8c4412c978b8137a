"""What a NATS carrier has subscribed to, and what of that its server refuses.

A server says so unasked, also of what it had allowed, and says nothing when rights come back: it has to be asked again.
"""

import itertools
from collections.abc import Collection, Iterable

Subscription = tuple[str, int]
"""A channel, and its number in NATS' protocol."""


def name_right(prefix: str, verb: str, name: str) -> str:
    """What a server does not let us do, and what its administrator has to say there. `name` is fit for a log."""
    needed = f'permissions: {{ publish: "{prefix}.>", subscribe: "{prefix}.>" }}'
    return f"the server does not let us {verb} to {name}; our user needs {needed}"


class NatsSubscriptions:
    """Channels that are wanted."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._wanted: dict[str, int] = {}
        self._channels: dict[int, str] = {}
        self._refused: dict[str, bool] = {}
        """Whether that was said since it was asked for again."""

    def __len__(self) -> int:
        """Of those that are not refused."""
        return len(self._wanted) - len(self._refused)

    @property
    def all(self) -> Collection[Subscription]:
        """Each with its number, refused or not."""
        return self._wanted.items()

    @property
    def refused(self) -> str:
        """One that the server refuses; empty: it refuses none."""
        return next(iter(self._refused), "")

    def add(self, channels: Iterable[str]) -> list[Subscription]:
        """Those that were not there yet."""
        fresh = [(channel, next(self._numbers)) for channel in channels if channel not in self._wanted]
        self._wanted.update(fresh)
        self._channels.update((number, channel) for channel, number in fresh)
        return fresh

    def remove(self, channels: Iterable[str]) -> list[int]:
        """The numbers of those that were there."""
        gone = [channel for channel in channels if channel in self._wanted]
        numbers = [self._wanted.pop(channel) for channel in gone]
        for channel, number in zip(gone, numbers, strict=True):
            del self._channels[number]
            self._refused.pop(channel, None)
        return numbers

    def channel(self, number: int) -> str | None:
        """Whose number that is."""
        return self._channels.get(number)

    # Rights

    def refuse(self, name: str) -> None:
        """The server does not let us have this one."""
        if name in self._wanted:
            self._refused[name] = True

    def is_refused(self, channels: Iterable[str]) -> bool:
        """Whether any of them is."""
        return any(channel in self._refused for channel in channels)

    def ask_again(self) -> list[Subscription]:
        """All that are refused, to be asked for once more."""
        self._refused = dict.fromkeys(self._refused, False)
        return [(channel, self._wanted[channel]) for channel in self._refused]

    def end_refusals(self) -> list[str]:
        """The server has answered: those that it did not refuse again."""
        allowed = [channel for channel, is_said in self._refused.items() if not is_said]
        for channel in allowed:
            del self._refused[channel]
        return allowed

    def begin_anew(self) -> None:
        """Another server may allow all."""
        self._refused.clear()
