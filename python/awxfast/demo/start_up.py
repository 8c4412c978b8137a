"""What the demo says while it starts: a line at least every few seconds, however long a busy machine takes."""

import threading
import time
from typing import Self

INTERVAL = 4.0
"""Seconds of silence after which a line says how long it has taken."""


class StartUp:
    """From the first import to the line with the address; a thread, since imports hold up a loop."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._began = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def _tell(self) -> None:
        while not self._done.wait(self._interval):
            print(f"  {time.monotonic() - self._began:.0f} s", flush=True)

    def end(self) -> None:
        """Nothing more is said; may be called again."""
        self._done.set()
        self._thread.join()
