"""A real browser, headless, told what to do over the DevTools protocol."""

import contextlib
import json
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from servers import wait_for
from websockets.sync.client import connect

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]


class Chromium:
    """One page in a browser with a profile of its own."""

    def __init__(self, program: str, url: str) -> None:
        self.profile = tempfile.TemporaryDirectory(prefix="awxfast-chromium-", ignore_cleanup_errors=True)
        command = [program, *QUIET, f"--user-data-dir={self.profile.name}", url]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port_file = Path(self.profile.name, "DevToolsActivePort")
        port = wait_for(lambda: port_file.exists() and port_file.read_text().split("\n")[0])
        self.open = contextlib.ExitStack()
        self.page = self.open.enter_context(connect(wait_for(lambda: self.find_page(port)), max_size=None))
        self.asked = 0

    def find_page(self, port: str) -> str | None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [page for page in json.load(answer) if page["type"] == "page"]
        return pages[0]["webSocketDebuggerUrl"] if pages else None

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; None while it is being loaded anew."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"]["result"].get("value") if "result" in answer else None

    def resize(self, width: int, height: int) -> None:
        """As if the window had this size."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)

    def prefer(self, scheme: str) -> None:
        """As if the person had chosen `light` or `dark`."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def call(self, method: str, **params: Any) -> Any:
        """A command of the DevTools protocol, and its answer."""
        self.asked += 1
        self.page.send(json.dumps({"id": self.asked, "method": method, "params": params}))
        while (answer := json.loads(self.page.recv(timeout=30))).get("id") != self.asked:
            pass
        return answer

    def text(self, element: str) -> str:
        """What a person reads in an element."""
        return self.evaluate(f"document.getElementById({element!r})?.innerText") or ""

    def close(self) -> None:
        self.open.close()
        self.process.terminate()
        self.process.wait()
        self.profile.cleanup()
