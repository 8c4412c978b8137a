"""What nodes tell each other of themselves and of wanted groups through an engine: JSON messages in, messages out.

A taker is a process that serves browsers and takes events from the engine; a publisher brings a Redis' events there.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import orjson

from awxfast.wire.backplane import NOTICE_GROUPS, Fault
from awxfast.wire.groups import is_valid_group

MOST_BYTES = 1_048_576
"""Of a notice that is read."""
MOST_PARTS = 1_000
"""That one list of all groups may come in."""
MOST_ASKED = 2_000
"""Takers that one question may name, and publishers that one beat may."""
MOST_VERSION = 2**53
"""What every reader of JSON takes for a whole number."""
ROOM = 1_024
"""Bytes that a notice may need beside its groups."""
MAX_NODE = 255
"""Characters of a node's name."""

Role = Literal["taker", "publisher"]

_WHO = re.compile(r"[0-9a-f]{16}")
_REDIS = re.compile(r"[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A taker wants groups from now on (`add`), and others no more (`drop`). `version` is one more than before."""

    who: str
    node: str
    redis: str
    version: int
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All that a taker wants, as it was at `version`: part `part` (from 0) of `parts`."""

    who: str
    node: str
    redis: str
    version: int
    part: int
    parts: int
    groups: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A node is there. `version`: of a taker's last change; a publisher has none and says 0.

    `linked`: publishers whose events a taker gets over links, and passes on into its Redis, where others get them.
    """

    who: str
    node: str
    redis: str
    role: Role
    version: int = 0
    linked: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """Whoever this is leaves, and wants and brings nothing any more."""

    who: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A publisher wants to know what these takers want, or all (None)."""

    of: tuple[str, ...] | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Heir:
    """Another process is about to take a taker's place: it hears all that this one wanted at `version`."""

    who: str
    version: int


Notice = Change | Listing | Beat | Bye | Ask | Heir


def encode_notice(notice: Notice) -> bytes:
    """The message for the control channel."""
    match notice:
        case Change():
            return orjson.dumps({"kind": "want", **dataclasses.asdict(notice)})
        case Listing():
            return orjson.dumps({"kind": "all", **dataclasses.asdict(notice)})
        case Beat():
            return orjson.dumps({"kind": "beat", **dataclasses.asdict(notice)})
        case Bye():
            return orjson.dumps({"kind": "bye", "who": notice.who})
        case Ask():
            return orjson.dumps({"kind": "ask", "of": "all" if notice.of is None else notice.of})
        case Heir():
            return orjson.dumps({"kind": "heir", **dataclasses.asdict(notice)})


def read_notice(message: bytes) -> Notice | Fault:
    """A message of the control channel, which anybody may have written. Names that no group can have are left out."""
    if len(message) > MOST_BYTES:
        return Fault.NOT_THE_WIRES
    try:
        document = orjson.loads(message)
    except orjson.JSONDecodeError:
        return Fault.NOT_JSON
    if not isinstance(document, dict):
        return Fault.NOT_THE_WIRES
    try:
        return _read_kind(document)
    except _Wrong:
        return Fault.NOT_THE_WIRES


def names_groups(message: bytes) -> bool:
    """Whether it is a change or a listing as `encode_notice` writes them: who wants nothing of it need not read."""
    return message.startswith((b'{"kind":"want"', b'{"kind":"all"'))


def split_groups(groups: Sequence[str], most_bytes: int) -> Iterator[Sequence[str]]:
    """Parts that a notice may name, each in a message of at most so many bytes; at least one part, perhaps empty."""
    room = most_bytes - ROOM
    begin = size = 0
    for end, group in enumerate(groups):
        size += len(group) + 3
        if end > begin and (size > room or end - begin >= NOTICE_GROUPS):
            yield groups[begin:end]
            begin, size = end, len(group) + 3
    yield groups[begin:]


class _Wrong(Exception):
    """A value is not what the notice says there."""


def _read_kind(document: dict[str, Any]) -> Notice | Fault:
    match document.get("kind"):
        case "want":
            return _read_change(document)
        case "all":
            return _read_listing(document)
        case "beat":
            return _read_beat(document)
        case "bye":
            return Bye(who=_name(_WHO, document, "who"))
        case "ask":
            return _read_ask(document)
        case "heir":
            return Heir(who=_name(_WHO, document, "who"), version=_number(document, "version", MOST_VERSION))
        case str():
            return Fault.OTHER_TYPE
    return Fault.NOT_THE_WIRES


def _read_change(document: dict[str, Any]) -> Change:
    who, node, redis, version = _read_sender(document)
    add, drop = _groups(document.get("add", [])), _groups(document.get("drop", []))
    return Change(who=who, node=node, redis=redis, version=version, add=add, drop=drop)


def _read_listing(document: dict[str, Any]) -> Listing:
    who, node, redis, version = _read_sender(document)
    parts = _number(document, "parts", MOST_PARTS)
    part = _number(document, "part", parts - 1)
    groups = _groups(document.get("groups"))
    return Listing(who=who, node=node, redis=redis, version=version, part=part, parts=parts, groups=groups)


def _read_beat(document: dict[str, Any]) -> Beat:
    who, node, redis, version = _read_sender(document)
    linked = _names(document.get("linked", []))
    match document.get("role"):
        case "taker":
            return Beat(who=who, node=node, redis=redis, role="taker", version=version, linked=linked)
        case "publisher":
            return Beat(who=who, node=node, redis=redis, role="publisher", version=version, linked=linked)
    raise _Wrong


def _read_ask(document: dict[str, Any]) -> Ask:
    asked = document.get("of")
    return Ask(of=None if asked == "all" else _names(asked))


def _names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or len(names) > MOST_ASKED:
        raise _Wrong
    if not all(isinstance(who, str) and _WHO.fullmatch(who) for who in names):
        raise _Wrong
    return tuple(names)


def _read_sender(document: dict[str, Any]) -> tuple[str, str, str, int]:
    node = document.get("node")
    if not isinstance(node, str) or not 0 < len(node) <= MAX_NODE:
        raise _Wrong
    return (
        _name(_WHO, document, "who"),
        node,
        _name(_REDIS, document, "redis"),
        _number(document, "version", MOST_VERSION),
    )


def _name(form: re.Pattern[str], document: dict[str, Any], key: str) -> str:
    name = document.get(key)
    if not isinstance(name, str) or form.fullmatch(name) is None:
        raise _Wrong
    return name


def _number(document: dict[str, Any], key: str, most: int) -> int:
    number = document.get(key)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= most:
        raise _Wrong
    return number


def _groups(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or len(names) > NOTICE_GROUPS:
        raise _Wrong
    return tuple(name for name in names if isinstance(name, str) and is_valid_group(name))
