"""One serving process succeeds another: main's part of it, from the heir's start to the word of what became of it."""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine, Iterator
from typing import Any

from awxfast.errors import HandOverFailed, describe_unexpected
from awxfast.process.child_handle import ChildHandle

READY_LIMIT = 60.0
"""Seconds in which a new process has to be ready to go on in place of the old one."""
OTHERS_WORD = 15.0
"""Seconds for the one to say what became of it, where the other one has ended: more than it waits for that one."""
HAND_OVER_LIMIT = 75.0
"""Seconds in which the old one has to have handed over, or to have given it up: more than all its own limits."""
LEAVE_LIMIT = 5.0
"""Seconds for a new process that is not wanted after all to take its names out of Redis."""


async def let_succeed(old: ChildHandle, heir: ChildHandle, ours: socket.socket) -> dict[str, Any]:
    """Returns what `heir`, just started, reports once it has all that was `old`'s; `ours` is closed then.

    Raises `HandOverFailed`: it has not, and is to be ended (`end_unwanted`).
    """
    try:
        await wait_for_either(
            heir.wait_for(lambda: heir.is_ready is not None or heir.failure is not None, READY_LIMIT),
            old.wait_for(lambda: False),
        )
        if old.exit_code is not None:
            raise HandOverFailed(f"the old process ended (exit code {old.exit_code})")
        if heir.is_ready is None:
            raise HandOverFailed(describe_end(heir))
        old.hand_over(heir, ours)
        ours.close()
        await wait_for_outcome(old, heir)
    except TimeoutError as error:
        raise HandOverFailed("the new process is not ready in time") from error
    if heir.succeeded is None and (heir.exit_code is not None or not has_ended_in_order(old)):
        raise HandOverFailed(old.stays or describe_silence(old, heir))
    return heir.succeeded or {}


def has_ended_in_order(old: ChildHandle) -> bool:
    """Whether one is gone that has handed over all, though its heir has not said so."""
    return old.exit_code is not None and (old.has_left or old.exit_code == 0)


async def end_unwanted(heir: ChildHandle) -> None:
    """What it has of its own in Redis goes with it, if it still can."""
    with contextlib.suppress(TimeoutError):
        if heir.is_ready is not None and heir.exit_code is None:
            heir.send("stop")
            await heir.wait_for(lambda: False, LEAVE_LIMIT)
    heir.kill()
    await heir.wait_for(lambda: False)


async def let_go_on(old: ChildHandle) -> None:
    """As if nothing had been; one whose websockets are gone with the new one is of no use."""
    if old.can_go_on:
        old.send("go_on")
    else:
        old.kill()
        await old.wait_for(lambda: False)


async def wait_for_outcome(old: ChildHandle, heir: ChildHandle) -> None:
    """The old one says that it stays, or the new one that it has taken its place; or that nobody can say so."""

    def has_succeeded() -> bool:
        return heir.succeeded is not None

    def is_decided() -> bool:
        return has_succeeded() or old.stays is not None or (old.has_left and heir.exit_code is not None)

    waits = [
        asyncio.ensure_future(heir.wait_for(has_succeeded, HAND_OVER_LIMIT)),
        asyncio.ensure_future(old.wait_for(is_decided, HAND_OVER_LIMIT)),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not is_decided():
            await asyncio.wait(waits, timeout=OTHERS_WORD)  # one of them is gone: the other knows what became of it
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def wait_for_either(*waits: Coroutine[Any, Any, None]) -> None:
    """Returns when one of them does. Raises what it raises."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def failing_as_hand_over() -> Iterator[None]:
    """Whatever keeps a new process from being there is a `HandOverFailed`: the next one may do better."""
    try:
        yield
    except HandOverFailed:
        raise
    except OSError as error:
        raise HandOverFailed(f"no new process can be started: {error.strerror or error}") from error
    except Exception as error:
        raise HandOverFailed(describe_unexpected(error)) from error


def describe_silence(old: ChildHandle, heir: ChildHandle) -> str:
    """Why nobody knows what became of a hand-over."""
    if old.exit_code is None or heir.exit_code is not None:
        return describe_end(heir)
    return f"the old process ended (exit code {old.exit_code}), and the new one does not say that it serves"


def describe_end(child: ChildHandle) -> str:
    """Why a new process does not serve."""
    if child.failure is not None:
        return f"the new process can't start: {child.failure}"
    if child.exit_code is None:
        return "the new process has not said in time that it serves"
    return f"the new process ended (exit code {child.exit_code})"
