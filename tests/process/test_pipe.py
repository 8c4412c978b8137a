"""Main's and the child's messages, over a real socketpair."""

import socket

from awxfast.process.pipe import Pipe


async def open_pair() -> tuple[Pipe, Pipe]:
    ours, theirs = socket.socketpair()
    return await Pipe.open(ours), await Pipe.open(theirs)


class TestMessages:
    async def test_they_arrive_in_order(self) -> None:
        main, child = await open_pair()
        main.send("start", settings="{}", listeners=[[3, 128, None]], admin=None)
        main.send("stop")
        assert await child.receive() == {
            "kind": "start",
            "settings": "{}",
            "listeners": [[3, 128, None]],
            "admin": None,
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

    async def test_sending_to_nobody_is_no_error(self) -> None:
        main, child = await open_pair()
        await main.close()
        main.send("ping")
        await child.close()
