"""`manage.py runserver` of a real project, as a developer uses it."""

import os
import re
import socket
import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management.base import BaseCommand
from django_project import Project
from redis_servers import RedisServer
from servers import HANG, wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

DOCS = Path(__file__).resolve().parents[2] / "docs"


class TestServing:
    def test_pages_static_files_and_websockets(
        self, project: Callable[..., Project], redis_server: RedisServer
    ) -> None:
        site = project().run_server("0", "--noreload")
        assert site.get("/page/?a=b") == "the first version"
        assert site.get("/static/file.txt") == "a static file\n"
        with connect(f"ws://{site.address()}/ws/") as browser:
            browser.send("hello")
            assert browser.recv(HANG) == "HELLO"
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            site.get("/nowhere/")
        refused.value.close()
        wait_for(lambda: "DISCONNECT" in site.log)
        assert site.stop() == 0
        assert redis_server.client().keys("*") == []
        lines = site.log.splitlines()
        assert "Performing system checks..." in lines
        assert re.search(
            r"^Starting ASGI/awxfast version \S+ development server at http://127.0.0.1:\d+/$", site.log, re.M
        )
        assert "Quit the server with CONTROL-C." in lines
        said = re.sub(r"\[\d\.\d\d, ", "[TIME, ", re.sub(r"127.0.0.1:\d+", "CLIENT", site.log))
        for line in (
            "HTTP GET /page/?a=b 200 [TIME, CLIENT]",
            "HTTP GET /nowhere/ 404 [TIME, CLIENT]",
            "WebSocket HANDSHAKING /ws/ [CLIENT]",
            "WebSocket CONNECT /ws/ [CLIENT]",
            "WebSocket DISCONNECT /ws/ [CLIENT]",
        ):
            assert line in said
        assert "Traceback" not in site.log

    def test_wsgi_on_request(self, project: Callable[..., Project]) -> None:
        site = project().run_server("0", "--noreload", "--noasgi", "--nothreading")
        assert site.address()
        assert "Starting ASGI" not in site.log
        assert site.get("/page/") == "the first version"
        assert site.get("/static/file.txt") == "a static file\n"


def wait_for_close(browser: ClientConnection, changed: Path) -> int:
    """The code. The file is changed again and again: the reloader may look for the first time after a change."""
    while True:
        os.utime(changed)
        try:
            browser.recv(timeout=2)
        except TimeoutError:
            continue
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            return closed.rcvd.code


class TestReloading:
    def test_changed_file_is_served_and_open_sockets_are_told(
        self, project: Callable[..., Project], redis_server: RedisServer
    ) -> None:
        site = project().run_server("0", "--nostatic")
        assert site.get("/page/") == "the first version"
        with connect(f"ws://{site.address()}/ws/") as browser:
            browser.send("hello")
            assert browser.recv(HANG) == "HELLO"
            source = site.folder / "site_asgi.py"
            source.write_text(source.read_text().replace("the first version", "the second version"))
            assert wait_for_close(browser, source) == 1001
        assert site.get("/page/", count=2) == "the second version"
        assert site.stop() == 0
        assert redis_server.client().keys("*") == []
        assert "Traceback" not in site.log

    def test_fault_is_shown_and_its_mending_waited_for(self, project: Callable[..., Project]) -> None:
        site = project()
        (site.folder / "site_asgi.py").write_text("this is no Python\n")
        site.run_server("0")
        wait_for(lambda: "SyntaxError" in site.log)
        assert site.process is not None and site.process.poll() is None


class TestHelp:
    def test_documented_options_are_those_that_it_has(self, project: Callable[..., Project]) -> None:
        page = (DOCS / "django.md").read_text().partition("## Tests")[0]
        help_text = project().manage("runserver", "--help").stdout
        options = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]*")
        djangos = set(options.findall(BaseCommand().create_parser("manage.py", "x").format_help()))
        djangos |= {"--ipv6", "--noreload", "--nothreading"}
        assert set(options.findall(page)) - djangos == set(options.findall(help_text)) - djangos


class TestRefusals:
    def test_port_in_use(self, project: Callable[..., Project]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            site = project().run_server(str(taken.getsockname()[1]))
            assert site.process is not None and site.process.wait(HANG) == 1
            assert site.log.splitlines()[-1].startswith(
                f"Error: can't listen on 127.0.0.1 port {taken.getsockname()[1]}"
            )

    def test_project_without_asgi_application(self, project: Callable[..., Project]) -> None:
        done = project(SITE_WITHOUT_ASGI="1").manage("runserver", "0")
        assert done.returncode == 1
        assert done.stderr.startswith("CommandError: You have not set ASGI_APPLICATION")

    def test_application_below_that_of_static_files(self, project: Callable[..., Project]) -> None:
        done = project(SITE_APPS="django.contrib.staticfiles awxfast channels").manage("check")
        assert done.returncode == 1
        assert (
            "(awxfast.E001) awxfast must be listed before django.contrib.staticfiles in INSTALLED_APPS." in done.stderr
        )

    def test_application_without_that_of_static_files(self, project: Callable[..., Project]) -> None:
        done = project(SITE_APPS="awxfast channels").manage("runserver", "--help")
        assert done.returncode == 0, done.stderr
        assert "--noasgi" in done.stdout and "--nostatic" not in done.stdout
