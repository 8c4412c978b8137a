"""The small application that both servers host. What it does is said by the path.

What it remembers is in `PARITY_FOLDER`, since several processes may serve it.
"""

import asyncio
import base64
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

Scope = dict[str, Any]
FOLDER = Path(os.environ["PARITY_FOLDER"])


def show(value: Any) -> Any:
    """A scope's value as JSON: bytes as latin-1 text."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {key: show(item) for key, item in value.items()}
    return [show(item) for item in value] if isinstance(value, list | tuple) else value


async def application(scope: Scope, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan here")
    kind = "http" if scope["type"] == "http" else "websocket"
    name = scope["path"].removeprefix(scope["root_path"]).strip("/").split("/")[0] or "scope"
    await globals()[f"{kind}_{name}"](scope, receive, send)


# Plain requests


async def respond(send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def http_scope(scope: Scope, receive: Any, send: Any) -> None:
    await respond(
        send, 200, json.dumps(show({k: v for k, v in scope.items() if k not in ("state", "extensions")})).encode()
    )


async def http_echo(scope: Scope, receive: Any, send: Any) -> None:
    body = await read_body(receive)
    what = {"method": scope["method"], "query": show(scope["query_string"]), "body": base64.b64encode(body).decode()}
    await respond(send, 200, json.dumps(what).encode(), (b"x-size", str(len(body)).encode()))


async def http_chunks(scope: Scope, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for part in (b"one ", b"two ", b"three"):
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


async def http_status(scope: Scope, receive: Any, send: Any) -> None:
    status = int(scope["path"].split("/")[2])
    await respond(send, status, b"" if status in (204, 304) else b"here")


async def http_raise(scope: Scope, receive: Any, send: Any) -> None:
    raise RuntimeError("a fault of the application")


async def http_raise_late(scope: Scope, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    raise RuntimeError("a fault of the application")


async def http_badheader(scope: Scope, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [("x-text", "text")]})
    await send({"type": "http.response.body"})


async def http_never(scope: Scope, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


async def http_twice(scope: Scope, receive: Any, send: Any) -> None:
    await respond(send, 200, b"first")
    await send({"type": "http.response.body", "body": b"second"})


async def http_disconnect(scope: Scope, receive: Any, send: Any) -> None:
    """Remembers that it was told that the client is gone."""
    await read_body(receive)
    while (await receive())["type"] != "http.disconnect":
        pass
    remember("http.disconnect")


def remember(what: Any) -> None:
    """For who asks about a connection that can't be asked any more."""
    with (FOLDER / "seen").open("a") as seen:
        fcntl.flock(seen, fcntl.LOCK_EX)
        seen.write(json.dumps(what) + "\n")


async def http_seen(scope: Scope, receive: Any, send: Any) -> None:
    with (FOLDER / "seen").open("a+") as seen:
        fcntl.flock(seen, fcntl.LOCK_EX)
        seen.seek(0)
        found = [json.loads(line) for line in seen]
        seen.truncate(0)
    await respond(send, 200, json.dumps(found).encode())


# Websockets


async def accept(receive: Any, send: Any, **more: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept", **more})


async def remember_end(receive: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            remember([message["code"], message["reason"]] if "reason" in message else message["code"])
            return


async def websocket_scope(scope: Scope, receive: Any, send: Any) -> None:
    await accept(receive, send)
    text = json.dumps(show({k: v for k, v in scope.items() if k not in ("state", "extensions")}))
    await send({"type": "websocket.send", "text": text})
    await remember_end(receive)


async def websocket_echo(scope: Scope, receive: Any, send: Any) -> None:
    await accept(receive, send)
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            remember(message["code"])
            return
        if message.get("text", "").startswith("close"):
            code = message["text"].removeprefix("close").strip()
            await send({"type": "websocket.close", **({"code": int(code)} if code else {})})
        elif message.get("text") == "raise":
            raise RuntimeError("a fault of the application")
        else:
            await send({**message, "type": "websocket.send"})


async def websocket_subprotocol(scope: Scope, receive: Any, send: Any) -> None:
    """Chooses the one that the path names."""
    await accept(receive, send, subprotocol=scope["path"].split("/")[2])
    await send({"type": "websocket.send", "text": json.dumps(scope["subprotocols"])})
    await remember_end(receive)


async def websocket_deny(scope: Scope, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close"})
    await remember_end(receive)


async def websocket_raise(scope: Scope, receive: Any, send: Any) -> None:
    raise RuntimeError("a fault of the application")


async def websocket_never(scope: Scope, receive: Any, send: Any) -> None:
    await remember_end(receive)


async def websocket_early(scope: Scope, receive: Any, send: Any) -> None:
    """Sends before it accepts."""
    await receive()
    await send({"type": "websocket.send", "text": "too early"})


async def websocket_bye(scope: Scope, receive: Any, send: Any) -> None:
    """Says something and closes at once."""
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "bye"})
    await send({"type": "websocket.close", "code": 4001})
    await send({"type": "websocket.send", "text": "too late"})
    await remember_end(receive)


async def websocket_flood(scope: Scope, receive: Any, send: Any) -> None:
    await accept(receive, send)
    for number in range(int(scope["path"].split("/")[2])):
        await send({"type": "websocket.send", "text": f"{number:08}" + "x" * 1016})
    await receive()
    await send({"type": "websocket.close"})


# What only awxfast does


async def websocket_denial(scope: Scope, receive: Any, send: Any) -> None:
    await receive()
    headers = [(b"x-why", b"because"), (b"content-type", b"text/plain")]
    await send({"type": "websocket.http.response.start", "status": 451, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"here"})
    await remember_end(receive)


async def websocket_headers(scope: Scope, receive: Any, send: Any) -> None:
    await accept(receive, send, headers=[(b"X-Of-The-Application", b"yes")])
    await remember_end(receive)


async def websocket_own(scope: Scope, receive: Any, send: Any) -> None:
    """Says who it is, and when, in place of the server."""
    own = [(b"Server", b"mine"), (b"Date", b"today")]
    if scope["query_string"] == b"deny":
        await receive()
        await send({"type": "websocket.http.response.start", "status": 403, "headers": own})
        await send({"type": "websocket.http.response.body", "body": b"no"})
    else:
        await accept(receive, send, headers=own)
    await remember_end(receive)


async def websocket_end(scope: Scope, receive: Any, send: Any) -> None:
    """Ends without a close."""
    await accept(receive, send)


async def websocket_undecided(scope: Scope, receive: Any, send: Any) -> None:
    """Ends without any answer."""


async def websocket_route(scope: Scope, receive: Any, send: Any) -> None:
    raise ValueError(f"No route found for path {scope['path']!r}.")


async def websocket_clinging(scope: Scope, receive: Any, send: Any) -> None:
    """Does not notice that the client is gone."""
    await accept(receive, send)
    await asyncio.Event().wait()


class TwoCallables:
    """As ASGI 2 had it."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await application(self.scope, receive, send)


async def websocket_say(scope: Scope, receive: Any, send: Any) -> None:
    """Does to the socket what it is told, as JSON; `error` comes back when that raises."""
    await accept(receive, send)
    while (message := await receive())["type"] != "websocket.disconnect":
        try:
            await send(json.loads(message["text"]))
        except ValueError as error:
            await send({"type": "websocket.send", "text": f"error: {error}"})


async def websocket_large(scope: Scope, receive: Any, send: Any) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "x" * 3_000_000})
    await remember_end(receive)


async def websocket_ticks(scope: Scope, receive: Any, send: Any) -> None:
    """Sends all the time."""
    await accept(receive, send)
    end = asyncio.ensure_future(remember_end(receive))
    while not end.done():
        await send({"type": "websocket.send", "text": "tick"})
        await asyncio.wait([end], timeout=0.05)


async def http_refuse(scope: Scope, receive: Any, send: Any) -> None:
    """Answers without reading."""
    await respond(send, 413, b"too much")


async def http_read(scope: Scope, receive: Any, send: Any) -> None:
    """Lets `http_slow` read."""
    (FOLDER / "may_read").touch()
    await respond(send, 200, b"")


async def http_slow(scope: Scope, receive: Any, send: Any) -> None:
    """Reads as soon as it is told to, and says how much it was and how much memory that took."""
    size = 0
    before = resident()
    most = before
    while not (FOLDER / "may_read").exists():  # noqa: ASYNC110  another process may make it
        await asyncio.sleep(0.01)
    (FOLDER / "may_read").unlink()
    while True:
        message = await receive()
        size += len(message["body"])
        most = max(most, resident())
        if not message.get("more_body"):
            break
    await respond(send, 200, json.dumps({"size": size, "grown": most - before}).encode())


def resident() -> int:
    """Bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def http_short(scope: Scope, receive: Any, send: Any) -> None:
    """Promises more than it sends."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
    await send({"type": "http.response.body", "body": b"short"})


async def http_long(scope: Scope, receive: Any, send: Any) -> None:
    """Sends more than it promises."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"too long"})


async def http_route(scope: Scope, receive: Any, send: Any) -> None:
    raise ValueError(f"No route found for path {scope['path']!r}.")


def block(seconds: float) -> None:
    time.sleep(seconds)


async def http_block(scope: Scope, receive: Any, send: Any) -> None:
    """Synchronous code that takes its time, in a thread."""
    await asyncio.to_thread(block, 60.0)


class Lifespan:
    """Knows the protocol; its state is in every scope."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await respond(send, 200, json.dumps(scope["state"]).encode())
        elif scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            scope["state"]["made"] = "at the start"
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            print("cleaned up", flush=True)
            await send({"type": "lifespan.shutdown.complete"})


lifespan = Lifespan()
