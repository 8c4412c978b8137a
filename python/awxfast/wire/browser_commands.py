"""A browser's commands, as AWX's EventConsumer reads them (awx/main/consumers.py).

A command is `{"groups": {"<kind>": [<value>, ...], ...}, "xrftoken": "<csrf token>"}` and names a group
`<kind>-<value>` for each value. Here it becomes steps, in the order sent: a group that is wanted, or an error reply.
"""

import dataclasses
import functools
import hmac
import json
import re
from typing import Any, NamedTuple

import orjson

from awxfast.settings import MAX_GROUPS
from awxfast.wire.browser_replies import DENIED, Refused, deny, shorten
from awxfast.wire.groups import BACKPLANE_GROUP, is_valid_group

CHECKED_KINDS = frozenset({"job_events", "workflow_events", "ad_hoc_command_events"})
"""The kinds whose values are ids of objects that the user must be allowed to see."""
METRICS_KIND = "metrics"

MAX_PARTS = 20_000
"""How many lists and objects a command may have, how many values beside them, and how many are read a second time."""
MAX_RECALLED = 100
"""Characters of a kind or a value that is remembered for the next who asks for the same."""

ID = re.compile(r"0|[1-9][0-9]{0,19}")
MAX_ID = 2**64 - 1
MIN_INTEGER = -(2**63)


class Want(NamedTuple):
    """A group that is asked for: its name, and what the name is made of."""

    group: str
    kind: str
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """What a text frame asks for. `replaces`: the groups granted replace the former, and a reply says so.

    `excessive`: it names more groups than it may, and the connection is to be closed with 1008.
    """

    steps: tuple[Want | Refused, ...] = ()
    replaces: bool = False
    excessive: bool = False


class HugeInteger(str):
    """An integer beyond 64 bits, as it was sent."""

    __slots__ = ()


def read_command(payload: bytes, csrf_token: str | None, max_groups: int = MAX_GROUPS) -> Command:
    """Reads a text frame. `csrf_token` is what `xrftoken` must repeat; empty: nothing fits; None: it plays no part.

    More groups than `max_groups` are excessive, and so are more kinds, or values anywhere; AWX's pages name tens.
    """
    if len(payload) > MAX_PARTS and (refused := refuse_unread(payload, max_groups)):
        return refused
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        return refuse("not_json", f"the command is not JSON: {error}")
    if not isinstance(document, dict):
        return refuse("not_an_object", "the command is not a JSON object")
    if csrf_token is not None and not repeats(csrf_token, document.get("xrftoken")):
        return Command((Refused("xrftoken", DENIED),))
    if "groups" not in document:
        return Command()
    if not isinstance(document["groups"], dict):
        return refuse("groups", "groups is not a JSON object")
    if len(document["groups"]) > max_groups or count_values(document["groups"]) > max_groups:
        return Command(excessive=True)
    return read_groups(restore_integers(document["groups"], payload))


def refuse_unread(payload: bytes, max_groups: int) -> Command | None:
    """What becomes of a command that has so many parts that to read it would hold up others; None: it is to be read."""
    lists = count_lists(payload)
    if lists > MAX_PARTS + max_groups:
        return refuse("too_many_parts", "the command has too many lists and objects")
    return Command(excessive=True) if lists + payload.count(b",") > MAX_PARTS + 2 * max_groups else None


def count_lists(payload: bytes) -> int:
    """At least how many lists and objects a command has: those in its strings count, too."""
    return payload.count(b"[") + payload.count(b"{")


def count_parts(payload: bytes) -> int:
    """The same with values and keys: about what it costs to read a command."""
    return payload.count(b",") + count_lists(payload)


def count_values(groups: dict[str, Any]) -> int:
    """How many groups are named before the first value that is no list, which ends them."""
    count = 0
    for values in groups.values():
        if not isinstance(values, list):
            break
        count += len(values)
    return count


def refuse(reason: str, text: str) -> Command:
    """A command that changes nothing and gets one error."""
    return Command((Refused(reason, text),))


def repeats(csrf_token: str, claimed: object) -> bool:
    """Whether `xrftoken` is the cookie's value; compared in constant time."""
    return bool(csrf_token) and isinstance(claimed, str) and hmac.compare_digest(csrf_token.encode(), claimed.encode())


def restore_integers(groups: dict[str, Any], payload: bytes) -> dict[str, Any]:
    """Gives integers beyond 64 bits, which orjson reads as floats, back as they were sent.

    Not in a command so long that to read it again, which is slow, would hold up others.
    """
    if not has_huge(groups) or payload.count(b",") > MAX_PARTS:
        return groups
    try:
        exact: dict[str, Any] = json.loads(payload, parse_int=read_integer)["groups"]
    except RecursionError:
        return groups
    return exact


def has_huge(groups: dict[str, Any]) -> bool:
    """Whether there is a number that no 64 bits hold."""
    for values in groups.values():
        if isinstance(values, list):
            for value in values:
                if isinstance(value, float) and not MIN_INTEGER < value < -MIN_INTEGER:
                    return True
    return False


def read_integer(text: str) -> int | HugeInteger:
    """An integer if it fits in 64 bits, signed or not."""
    value = int(text) if len(text) <= 20 else MAX_ID + 1
    return value if MIN_INTEGER <= value <= MAX_ID else HugeInteger(text)


def read_groups(groups: dict[str, Any]) -> Command:
    """The steps of a `groups` dictionary. A value that is no list ends them, and then nothing changes."""
    steps: list[Want | Refused] = []
    for kind, values in groups.items():
        if not isinstance(values, list):
            return Command((*steps, Refused("no_list", DENIED)))
        recalls = len(kind) <= MAX_RECALLED
        steps += [
            recall_value(kind, value) if recalls and is_recalled(value) else read_value(kind, value) for value in values
        ]
    return Command(tuple(steps), replaces=True)


def is_recalled(value: object) -> bool:
    """Whether what it is read as may be kept: a short text, or an integer, which 64 bits hold."""
    return type(value) is int or (type(value) is str and len(value) <= MAX_RECALLED)


@functools.lru_cache(maxsize=1024)
def recall_value(kind: str, value: int | str) -> Want | Refused:
    """As `read_value`: most browsers ask for what others ask for."""
    return read_value(kind, value)


def read_value(kind: str, value: object) -> Want | Refused:
    """One group. AWX formats its value as Python does: `42` and `"42"` are one, `true` is `True`."""
    text = format_value(value)
    if isinstance(value, HugeInteger) or (kind in CHECKED_KINDS and not is_id(value)):
        return deny(kind, text)
    group = f"{kind}-{text}"
    if kind == METRICS_KIND or group == BACKPLANE_GROUP:
        return Refused("reserved", DENIED)
    if not is_valid_group(group):
        return Refused("group_name", describe_name(group))
    return Want(group, kind, text)


def format_value(value: object) -> str:
    """A value's text; lists and objects, which no name can hold, only as what they are."""
    if type(value) is str:
        return value
    if isinstance(value, list):
        return "[...]" if value else "[]"
    if isinstance(value, dict):
        return "{...}" if value else "{}"
    return str(value)


def is_id(value: object) -> bool:
    """Whether this is an object's id: an integer, or the plain decimal text of one."""
    if isinstance(value, str):
        return ID.fullmatch(value) is not None and int(value) <= MAX_ID
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def describe_name(group: str) -> str:
    """Why a group's name is refused."""
    return (
        f"group name {shorten(group)} is not valid ({len(group)} characters): "
        "1 to 99 characters out of A-Z a-z 0-9 - _ . are allowed"
    )
