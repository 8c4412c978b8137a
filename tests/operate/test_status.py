"""`awxfast status` against a real admin listener."""

import asyncio
import dataclasses
import errno
import functools
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError, StartError
from awxfast.operate import status
from awxfast.operate.admin import AdminListener
from awxfast.operate.status import UnixConnection
from awxfast.operate.view import OwnSource
from servers import HANG
from still_figures import ENGINE, LEDGER, NODE, PEERS, PLACE, SHOWN_ENGINE, StillFigures


@pytest.fixture
async def address() -> AsyncIterator[str]:
    sock = socket.create_server(("127.0.0.1", 0))
    listener = await AdminListener.start(OwnSource(StillFigures(), PLACE), sock)
    yield f"127.0.0.1:{sock.getsockname()[1]}"
    await listener.stop()


async def run(*words: str, **environ: str) -> int:
    return await asyncio.to_thread(status.run, words, environ)


class TestTable:
    async def test_a_line_a_figure(self, address: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert await run("--admin", address) == 0
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        for line in (["events.in", "115"], ["events.rejected.too_large", "3"], ["clients", "7"], ["peers", "2"]):
            assert line in lines

    async def test_slow_clients_follow(self, address: str, capsys: pytest.CaptureFixture[str]) -> None:
        await run("--admin", address)
        header, row = capsys.readouterr().out.splitlines()[-2:]
        assert header.split() == ["slow", "client", "frames", "bytes", "shed", "oldest"]
        assert row.split() == ["9", "20", "2048", "3", "1.5", "s"]


class TestWorkers:
    def test_a_line_a_worker(self) -> None:
        one = {
            "pid": 4321,
            "generation": 2,
            "clients": 7,
            "groups": 3,
            "events": {"in": 115},
            "frames": {"written": 90},
        }
        workers = [{"worker": 0, **one}, {"worker": 1, **one, "pid": None}]
        lines = list(status.format_table({"slow_clients": [], "generation": 2, "workers": workers}))
        words = [line.split() for line in lines if line]
        assert words[:2] == [["generation", "2"], ["workers", "2"]]
        assert words[2] == ["worker", "pid", "generation", "clients", "groups", "events", "frames"]
        assert words[3:] == [["0", "4321", "2", "7", "3", "115", "90"], ["1", "-", "2", "7", "3", "115", "90"]]


class TestReader:
    async def test_one_that_has_enough_is_no_failure(self, address: str) -> None:
        unread, pipe = os.pipe()
        os.close(unread)
        command = [sys.executable, "-m", "awxfast", "status", "--admin", address]
        run_it = functools.partial(
            subprocess.run, command, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=HANG
        )
        done = await asyncio.to_thread(run_it)
        os.close(pipe)
        assert (done.returncode, done.stderr) == (0, "")


class TestNodes:
    async def test_a_line_a_node(self, address: str, capsys: pytest.CaptureFixture[str]) -> None:
        await run("--admin", address)
        lines = capsys.readouterr().out.splitlines()
        first = next(index for index, line in enumerate(lines) if line.startswith("node "))
        words = [" ".join(line.split()) for line in lines[first + 1 : first + 3]]
        assert words == [
            "192.0.2.7 connected 30 5 2 5 +3 s relay; old secret; 24 groups wait for room",
            "192.0.2.8 refused 30 5 2 5 -400 s old secret",
        ]

    async def test_what_nodes_say_of_themselves_is_shown_escaped(
        self, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad = dataclasses.replace(NODE, host="web\n\x1b[31m", last_error="it said \x9b2J")
        monkeypatch.setattr(StillFigures, "peers", lambda _: [bad])
        await run("--admin", address)
        out = capsys.readouterr().out
        assert "web\\n\\x1b[31m" in out
        assert "it said \\x9b2J" in out
        assert out.replace("\n", "").isprintable()

    async def test_trouble_of_an_engine_is_shown_with_the_whole_rule_that_mends_it(
        self, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refused = dataclasses.replace(ENGINE, trouble=f"NOPERM; {'on every server ' * 20}+sunsubscribe")
        monkeypatch.setattr(StillFigures, "engine", lambda _: refused)
        await run("--admin", address)
        assert "+sunsubscribe\n" in capsys.readouterr().out


class TestJson:
    async def test_the_ledger_and_the_slow_clients(self, address: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert await run("--json", "--admin", address) == 0
        figures = json.loads(capsys.readouterr().out)
        assert figures.pop("slow_clients")[0]["client"] == 9
        assert figures == {**LEDGER, "version": "1.2.3", "peers": PEERS, "engine": SHOWN_ENGINE, "generation": 3}


class TestAddress:
    async def test_variable(self, address: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert await run(AWXFAST_ADMIN=address) == 0
        assert "events.in" in capsys.readouterr().out

    async def test_option_wins(self, address: str) -> None:
        assert await run("--admin", address, AWXFAST_ADMIN="127.0.0.1:1") == 0

    async def test_unix_socket(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "admin.sock"))
        sock.listen()
        listener = await AdminListener.start(OwnSource(StillFigures(), PLACE), sock)
        assert await run("--admin", str(tmp_path / "admin.sock")) == 0
        await listener.stop()
        assert "events.in" in capsys.readouterr().out


class TestNobodyAnswers:
    async def test_nobody_listens(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(StartError, match=rf"no answer at 127.0.0.1:{port} \(Connection refused\).*--admin"):
            await run("--admin", f"127.0.0.1:{port}")
        with pytest.raises(StartError, match="off with an APPLICATION"):
            await run("--admin", str(tmp_path / "none.sock"))

    async def test_who_may_not_ask_is_told_whom_to_be(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: UnixConnection) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(UnixConnection, "connect", refuse)  # root may connect to every file
        with pytest.raises(StartError, match=r"no permission for .*/admin.sock; be the server's user, or root$"):
            await run("--admin", str(tmp_path / "admin.sock"))

    @pytest.mark.parametrize(
        "answer",
        [
            b"garbage\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        ],
    )
    async def test_somebody_else_answers(self, answer: bytes) -> None:
        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(StartError) as caught:
                await run("--admin", f"127.0.0.1:{port}")
        assert "--admin" in str(caught.value) and "\n" not in str(caught.value)

    @pytest.mark.parametrize("address", ["off", "8058", "localhost:http"])
    async def test_address_that_is_none(self, address: str) -> None:
        with pytest.raises(ConfigurationError, match="give HOST:PORT"):
            await run("--admin", address)
