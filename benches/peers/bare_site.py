"""The least that an ASGI application can be: a page of a few bytes, and a websocket that sends back what it gets."""

from typing import Any

BODY = b"Hello, world!"
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", str(len(BODY)).encode())]


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Raises for a lifespan, which it does not have."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})
    elif scope["type"] == "websocket":
        await echo(receive, send)
    else:
        raise ValueError(f"no {scope['type']} here")


async def echo(receive: Any, send: Any) -> None:
    """Each text goes back to whoever sent it."""
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "text": message["text"]})
