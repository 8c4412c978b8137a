"""Main's and the child's messages, over a real socketpair."""

import asyncio
import contextlib
import socket

import pytest
from awxfast.process.pipe import LINE_LIMIT, Pipe


async def open_pair() -> tuple[Pipe, Pipe]:
    ours, theirs = socket.socketpair()
    return await Pipe.open(ours), await Pipe.open(theirs)


def send_all(sock: socket.socket, data: bytes) -> None:
    with sock, contextlib.suppress(OSError):
        sock.sendall(data)


class TestMessages:
    async def test_they_arrive_in_order(self) -> None:
        main, child = await open_pair()
        main.send("start", settings="{}", listeners=[[3, 128, None]])
        main.send("stop")
        assert await child.receive() == {
            "kind": "start",
            "settings": "{}",
            "listeners": [[3, 128, None]],
        }
        assert await child.receive() == {"kind": "stop"}
        await main.close()
        await child.close()

    async def test_line_ends_inside_a_text_are_kept(self) -> None:
        main, child = await open_pair()
        child.send("failed", text="two\nlines", exit_code=2)
        message = await main.receive()
        assert message is not None and message["text"] == "two\nlines"
        await main.close()
        await child.close()


class TestEnd:
    async def test_other_side_closed(self) -> None:
        main, child = await open_pair()
        await main.close()
        assert await child.receive() is None
        await child.close()

    async def test_half_a_message_counts_for_nothing(self) -> None:
        ours, theirs = socket.socketpair()
        pipe = await Pipe.open(ours)
        theirs.sendall(b'{"kind": "serv')
        theirs.close()
        assert await pipe.receive() is None
        await pipe.close()

    @pytest.mark.parametrize(
        "said", [b"x" * (LINE_LIMIT + 1) + b"\n", b"not a message\n", b"\xff\n", b"3\n", b"[]\n", b"{}\n"]
    )
    async def test_what_is_no_message_is_the_end_too(self, said: bytes) -> None:
        ours, theirs = socket.socketpair()
        pipe = await Pipe.open(ours)
        sending = asyncio.ensure_future(asyncio.to_thread(send_all, theirs, said))
        assert await pipe.receive() is None
        await pipe.close()
        await sending

    async def test_sending_to_nobody_is_no_error(self) -> None:
        main, child = await open_pair()
        await main.close()
        main.send("ping")
        await child.close()


class TestNextProgram:
    async def test_what_had_come_and_nobody_had_received_is_received_there(self) -> None:
        ours, theirs = socket.socketpair()
        child, pipe = await Pipe.open(theirs), await Pipe.open(ours)
        child.send("pong")
        assert await pipe.receive() == {"kind": "pong"}
        for number in range(3):
            child.send("used_header", header=str(number))
        await child.flush()
        await asyncio.sleep(0)
        descriptor, unreceived = await pipe.leave()
        child.send("serving")
        heir = await Pipe.open(socket.socket(fileno=descriptor), unreceived)
        heard = [await heir.receive() for _ in range(4)]
        assert heard == [*({"kind": "used_header", "header": str(number)} for number in range(3)), {"kind": "serving"}]
        heir.send("ping")
        assert await child.receive() == {"kind": "ping"}
        await child.close()
        assert await heir.receive() is None
        await heir.close()

    async def test_end_of_a_peer_that_is_gone_is_found_there(self) -> None:
        ours, theirs = socket.socketpair()
        theirs.close()
        pipe = await Pipe.open(ours)
        assert await pipe.receive() is None
        await pipe.close()
        descriptor, unreceived = await pipe.leave()
        heir = await Pipe.open(socket.socket(fileno=descriptor), unreceived)
        assert await heir.receive() is None
        await heir.close()
