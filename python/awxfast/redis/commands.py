"""A command as Redis reads it: an array of bulk strings (RESP2)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import hiredis

Argument = str | bytes | int | float

Command = tuple[Argument, ...]

SendCommands = Callable[[list[Command]], asyncio.Future[list[Any]]]
"""Sends commands on a connection; the replies come later."""

_MANY = 50
"""Arguments from which on hiredis is slower: it moves all it has with each; a megabyte in hundreds costs nine times."""

_hiredis_pack: Callable[[Sequence[Argument]], bytes] | None = getattr(hiredis, "pack_command", None)
"""Since hiredis 2.1; AWX 24 has 2.0."""


def pack(command: Sequence[Argument]) -> bytes:
    """The bytes of one command; text as UTF-8, numbers in decimal."""
    if _hiredis_pack is None or command[_MANY:]:
        return pack_in_python(command)
    return _hiredis_pack(tuple(command))


def pack_in_python(command: Sequence[Argument]) -> bytes:
    """What hiredis makes of it, to the byte."""
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts += (b"$%d\r\n" % len(data), data, b"\r\n")
    return b"".join(parts)
