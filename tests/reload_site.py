"""The events site with lifespan, plain requests and consumers that do wrong, for reloads.

`RELOAD_SITE` is a folder: `diary` gets a line at each start and end of a process, a view's stream ends when there is
`enough`, and what is in `fault` runs at the import.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from events_site import application as site

FOLDER = Path(os.environ["RELOAD_SITE"])
PID = os.getpid()


def begin() -> None:
    """What happens at `lifespan.startup`; a fault may put something else here."""


if (fault := FOLDER / "fault").exists():
    exec(fault.read_text())


def note(what: str) -> None:
    with (FOLDER / "diary").open("a") as diary:
        diary.write(f"{what} {PID}\n")


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
    elif scope["type"] == "http":
        await answer(scope["path"], send)
    elif scope["path"] == "/stubborn/":
        await be_stubborn(receive, send)
    elif scope["path"] == "/blocked/":
        await send({"type": "websocket.accept"})
        await sync_to_async(time.sleep)(3600)
    else:
        await site(scope, receive, send)


async def live(receive: Any, send: Any) -> None:
    await receive()
    begin()
    note("start")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    note("end")
    await send({"type": "lifespan.shutdown.complete"})


async def answer(path: str, send: Any) -> None:
    """`/` says which process this is; `/stream` says it again and again."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while path == "/stream" and not (FOLDER / "enough").exists():
        await send({"type": "http.response.body", "body": f"{PID}\n".encode(), "more_body": True})
        await asyncio.sleep(0.05)
    await send({"type": "http.response.body", "body": f"{PID}\n".encode()})


async def be_stubborn(receive: Any, send: Any) -> None:
    """A consumer that nobody can cancel."""
    await send({"type": "websocket.accept"})
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            note("stubborn")
