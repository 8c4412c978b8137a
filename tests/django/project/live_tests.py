"""The project's own tests, of the kind that Channels offers: a browser's, against a server with the test database."""

import urllib.request

from awxfast.testing import AwxfastProcess
from channels.testing import ChannelsLiveServerTestCase
from django.contrib.contenttypes.models import ContentType
from websockets.sync.client import connect


class LiveTests(ChannelsLiveServerTestCase):  # type: ignore[misc]  # Channels has no types
    ProtocolServerProcess = AwxfastProcess

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.live_server_url + path, timeout=30) as response:
            return str(response.read().decode())

    def test_websocket(self) -> None:
        with connect(f"{self.live_server_ws_url}/ws/") as browser:
            browser.send("hello")
            self.assertEqual(browser.recv(timeout=30), "HELLO")

    def test_page_from_the_test_database(self) -> None:
        ContentType.objects.create(app_label="made_by_a_test", model="x")
        self.assertEqual(self.get("/made-by-tests/"), "1")

    def test_static_file(self) -> None:
        self.assertEqual(self.get("/static/file.txt"), "a static file\n")
