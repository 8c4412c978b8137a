"""A server in a process of its own, for test suites: Channels' `ProtocolServerProcess`, and any ASGI application.

class ChatTests(ChannelsLiveServerTestCase):
    ProtocolServerProcess = AwxfastProcess
"""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from asgiref.compatibility import guarantee_single_callable
from asgiref.typing import ASGI3Application

from awxfast.options import parse_settings
from awxfast.process.embedded import EmbeddedServer

LEAVE_SECONDS = 5
"""How long worker threads of the application may hold up the end of the process."""


class AwxfastProcess(multiprocessing.Process):
    """Takes and offers what daphne's `DaphneProcess` does, but for `options`: words of awxfast's command line.

    `ready` is set when it serves, `port` is where; 0 picks one. What keeps it from serving is in `errors`, as exception
    and traceback. `terminate` ends it in order: sockets get 1001, and what it had in Redis goes with it.
    """

    def __init__(
        self,
        host: str,
        get_application: Callable[[], Any],
        options: Sequence[str] = (),
        setup: Callable[[], None] | None = None,
        teardown: Callable[[], None] | None = None,
        port: int | None = None,
    ) -> None:
        super().__init__()
        self.host = host
        self.get_application = get_application
        self.options = tuple(options)
        self.setup = setup
        self.teardown = teardown
        self.port = multiprocessing.Value("i", port or 0)
        self.ready = multiprocessing.Event()
        self.errors: Any = multiprocessing.Queue()

    def run(self) -> None:
        """In the new process: serves until TERM."""
        try:
            self._serve()
        except Exception as error:
            self.errors.put((error, traceback.format_exc()))
            raise
        finally:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LEAVE_SECONDS)

    def _serve(self) -> None:
        application: ASGI3Application = guarantee_single_callable(self.get_application())  # type: ignore[no-untyped-call]
        words = ["--bind", self.host, "--port", str(self.port.value), "--verbosity", "0", "--grace", "1"]
        server = EmbeddedServer(parse_settings([*words, *self.options, "tests:application"], os.environ))
        self.port.value = server.port
        if self.setup is not None:
            self.setup()
        try:
            server.run(application, on_serving=self.ready.set)
        finally:
            if self.teardown is not None:
                self.teardown()
