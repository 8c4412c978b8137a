"""Text streams that never make their writer wait: a bounded queue, and a thread that writes to the descriptor.

Who does not read costs lines, which are counted and told; the event loop goes on.
"""

import atexit
import collections
import contextlib
import io
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, NoReturn

log = logging.getLogger(__name__)

BOUND = 1 << 20
"""Bytes that may wait in one stream, each line with what it costs beside its text."""
LINE_COST = 64
PIECE = select.PIPE_BUF
"""Bytes a write, so that it is whole whoever else writes to the same pipe (pipe(7))."""
LOOK_SECONDS = 0.2
QUIET_SECONDS = 10.0
LAST_SECONDS = 1.0
"""How long an exit waits for a reader."""

_queues: "list[LineQueue]" = []
_dropped_by_closed: collections.Counter[str] = collections.Counter()


class LineQueue(io.BufferedIOBase):
    """What stands below a `TextIOWrapper`. `name` is the operator's word for the stream; only the log's own is `log`.

    `owned`: the descriptor is closed with the stream.
    """

    def __init__(self, descriptor: int, name: str, *, owned: bool = False) -> None:
        self.name = name
        self.dropped = 0
        self._descriptor = descriptor
        self._owned = owned
        self._lines: collections.deque[bytes] = collections.deque()
        self._size = 0
        self._changed = threading.Condition()
        self._is_idle = True
        self._is_closing = False
        self._is_direct = False
        self._thread: threading.Thread | None = None
        self._told = 0
        self._told_at = -QUIET_SECONDS
        self._reason = "nobody reads it"
        _queues.append(self)

    # What the text stream asks

    def writable(self) -> bool:
        """Nothing else is possible."""
        return True

    def fileno(self) -> int:
        """For those who look at what it is."""
        return self._descriptor

    def isatty(self) -> bool:
        """As of any file."""
        return os.isatty(self._descriptor)

    def write(self, data: Any, /) -> int:
        """Takes it at once, or drops it."""
        line = bytes(data)
        if self._is_direct:
            return os.write(self._descriptor, line)
        with self._changed:
            if self._size + len(line) + LINE_COST > BOUND or self._is_closing:
                self.dropped += count_lines(line)
                return len(line)
            self._lines.append(line)
            self._size += len(line) + LINE_COST
            if self._thread is None:
                self._thread = start_thread(self._run)
            elif self._is_idle:
                self._changed.notify_all()
            self._is_idle = False
        return len(line)

    def close(self) -> None:
        """Does not wait: what is there is written, then the descriptor is closed if it is owned."""
        if self.closed or self._is_direct:
            return
        super().close()
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread is None:
            self._leave()

    # The end of the process

    def drain(self, seconds: float) -> None:
        """Waits so long for all to be written."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_idle, seconds)

    def become_direct(self) -> None:
        """In a forked process, which has no thread of ours: it writes by itself."""
        self._is_direct = True

    # The thread

    def _run(self) -> None:
        while (piece := self._take()) is not None:
            self._write(piece)
            self.say_dropped()
        self._leave()

    def _take(self) -> bytes | None:
        """Some lines, at least one; None when there will be no more."""
        with self._changed:
            if not self._lines:
                self._is_idle = True
                self._changed.notify_all()
            while not self._lines:
                if self._is_closing:
                    return None
                self._changed.wait()
            lines = [self._lines.popleft()]
            size = len(lines[0])
            while self._lines and size + len(self._lines[0]) <= PIECE:
                size += len(self._lines[0])
                lines.append(self._lines.popleft())
            self._size -= size + LINE_COST * len(lines)
            return b"".join(lines)

    def _write(self, piece: bytes) -> None:
        left = memoryview(piece)
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while left:
            if not poll.poll(LOOK_SECONDS * 1000):
                if self.name != "log":
                    self.say_dropped()
                continue
            try:
                left = left[os.write(self._descriptor, left[:PIECE]) :]
            except BlockingIOError:  # whoever shares the file has made it non-blocking
                time.sleep(LOOK_SECONDS)
            except OSError as error:
                self._reason = error.strerror or "it can't be written"
                with self._changed:
                    self.dropped += count_lines(left)
                return

    def say_dropped(self, quiet: float = QUIET_SECONDS) -> None:
        """Says in the log what was dropped, unless that was done less than `quiet` seconds ago."""
        now = time.monotonic()
        if self.dropped > self._told and now - self._told_at >= quiet:
            count, self._told, self._told_at = self.dropped - self._told, self.dropped, now
            log.warning("%d lines of the %s were dropped: %s", count, self.name, self._reason)

    def _leave(self) -> None:
        if self in _queues:
            _queues.remove(self)
            _dropped_by_closed[self.name] += self.dropped
            if self._owned:
                os.close(self._descriptor)


def count_lines(data: bytes | memoryview) -> int:
    """How many lines it has; at least one."""
    return max(1, bytes(data).count(b"\n"))


def start_thread(run: Any) -> threading.Thread:
    """One that no signal is delivered to: they are for the loop, or wait until it can take them."""
    thread = threading.Thread(target=run, name="lines", daemon=True)
    former = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    return thread


def open_queued(descriptor: int, name: str, *, owned: bool = False, encoding: str = "utf-8") -> io.TextIOWrapper:
    """A stream for whole lines; no text is refused."""
    queue: Any = LineQueue(descriptor, name, owned=owned)
    return io.TextIOWrapper(queue, encoding=encoding, errors="backslashreplace", line_buffering=True)


def queue_standard_streams() -> None:
    """stdout and stderr of this process, for all that write to them."""
    for attribute, number, name in (("stdout", 1, "stdout"), ("stderr", 2, "log")):
        stream = getattr(sys, attribute)
        with contextlib.suppress(OSError, AttributeError):  # what has no descriptor is somebody's own
            if stream.fileno() == number and not isinstance(stream.buffer, LineQueue):
                stream.flush()
                setattr(sys, attribute, open_queued(number, name, encoding=stream.encoding))


def drain_streams(seconds: float = LAST_SECONDS) -> None:
    """Before an exit: waits so long, in all, for what was written."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    deadline = time.monotonic() + seconds
    for queue in sorted(_queues, key=lambda queue: queue.name == "log"):
        queue.drain(max(0.0, deadline - time.monotonic()))
        queue.say_dropped(quiet=0.0)
        queue.drain(max(0.0, deadline - time.monotonic()))


def leave(exit_code: int) -> NoReturn:
    """Ends the process at once, after what was written to the logs: neither blocked threads nor objects hold it up."""
    drain_streams()
    os._exit(exit_code)


def dropped_lines() -> Mapping[str, int]:
    """How many each stream's readers were too slow for."""
    dropped = collections.Counter(_dropped_by_closed)
    for queue in list(_queues):
        dropped[queue.name] += queue.dropped
    return dropped


def _become_direct() -> None:
    for queue in _queues:
        queue.become_direct()
    _queues.clear()


atexit.register(drain_streams)
os.register_at_fork(after_in_child=_become_direct)
