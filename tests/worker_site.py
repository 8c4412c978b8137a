"""An application that tells which process serves it. `WORKER_SITE_WORK`: milliseconds that a handshake costs there."""

import os
import time
from typing import Any

WORK = float(os.environ.get("WORKER_SITE_WORK", "0")) / 1000


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Websockets are told its number, and then what they send; `block SECONDS` holds the process up."""
    number = str(os.getpid())
    if scope["type"] == "websocket":
        await receive()
        time.sleep(WORK)  # noqa: ASYNC251  it is work
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": number})
        while (message := await receive())["type"] == "websocket.receive":
            word, _, seconds = message["text"].partition(" ")
            if word == "block":
                os.write(1, b"held up\n")
                time.sleep(float(seconds))  # noqa: ASYNC251  that is what it is for
            await send({"type": "websocket.send", "text": message["text"]})
    elif scope["type"] == "http":
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(number))]}
        )
        await send({"type": "http.response.body", "body": number.encode()})
