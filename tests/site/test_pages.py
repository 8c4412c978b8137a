"""The site's plain pages."""

import hashlib
import io

import aiohttp
from parity.hosts import HostingServer
from site_process import log_in, open_session


class TestPages:
    async def test_login_lasts(self, server: HostingServer) -> None:
        async with open_session() as session:
            async with session.get(server.url("/whoami/", "http")) as response:
                assert await response.json() == {"user": None}
            await log_in(session, server, "alice")
            async with session.get(server.url("/whoami/", "http")) as response:
                assert await response.json() == {"user": 1}

    async def test_login_without_the_csrf_token_is_refused(self, server: HostingServer) -> None:
        async with open_session() as session, session.post(server.url("/login/", "http"), data={"a": "b"}) as response:
            assert response.status == 403

    async def test_upload(self, server: HostingServer) -> None:
        content = bytes(range(256)) * 12_000
        form = aiohttp.FormData({"name": "Zoë"})
        form.add_field("file", io.BytesIO(content), filename="f")
        url = server.url("/upload/", "http")
        async with open_session() as session, session.post(url, data=form) as response:
            expected = {"fields": {"name": "Zoë"}, "files": {"file": hashlib.sha256(content).hexdigest()}}
            assert await response.json() == expected

    async def test_streams(self, server: HostingServer) -> None:
        async with open_session() as session:
            async with session.get(server.url("/download/3000000/", "http")) as response:
                assert await response.read() == b"x" * 3_000_000
            async with session.get(server.url("/ticks/", "http")) as response:
                assert [line async for line in response.content] == [b"0\n", b"1\n", b"2\n"]

    async def test_page_that_is_not_there(self, server: HostingServer) -> None:
        async with open_session() as session, session.get(server.url("/nowhere/", "http")) as response:
            assert response.status == 404

    async def test_what_the_page_knows_of_its_request(self, server: HostingServer) -> None:
        url, headers = server.url("/where/", "http"), {"Host": "site.example"}
        async with open_session() as session, session.get(url, headers=headers) as response:
            expected = {"path": "/where/", "url": "http://site.example/where/", "client": "127.0.0.1"}
            assert await response.json() == expected
