"""What nodes say to each other, in both eras of AWX's backplane: messages in, messages out.

Broadcast era (AWX 10 to 21, awx/main/wsbroadcast.py): the server dialled sends copies of events, `message` a string.
Relay era (AWX 22 on, awx/main/wsrelay.py): it sends notices of who wants what, the dialler answers with events,
`message` an object.
"""

import dataclasses
import enum
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from awxfast.wire.groups import BACKPLANE_GROUP, is_valid_group

BROADCAST_PATH = "/websocket/broadcast/"
RELAY_PATH = "/websocket/relay/"

SUBSCRIBE = "consumer.subscribe"
UNSUBSCRIBE = "consumer.unsubscribe"
METRICS_GROUP = "metrics"

REDIS_HEADER = "awxfast-redis"
"""In the server's 101: which Redis it uses, so that two ends on one Redis pass each event once."""

NOTICE_GROUPS = 10_000
"""How many groups one notice may name."""
MAX_CHANNEL = 200
"""How long the channel's name in a notice may be; Channels allows 99."""

_KEY_PART = re.compile(r"[A-Za-z0-9._:-]{1,200}")


class Fault(enum.StrEnum):
    """Why a frame is not the wire's; also the reason in counters."""

    NOT_JSON = "not_json"
    NOT_THE_WIRES = "not_the_wires"
    OTHER_TYPE = "other_type"
    GROUP_NAME = "group_name"
    LOOP = "loop"
    METRICS = "metrics"


@dataclasses.dataclass(frozen=True, slots=True)
class Notice:
    """Somebody's groups: wanted from now on (`subscribe`) or no more. `origin_channel` is who wants them."""

    subscribe: bool
    groups: tuple[str, ...]
    origin_channel: str


@dataclasses.dataclass(frozen=True, slots=True)
class GroupEvent:
    """An event of a group: `text` is what its browsers get."""

    group: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class StoredMetrics:
    """Metrics of a node: what to write into Redis, without expiry."""

    key: str
    value: str


def read_notice_or_event(payload: bytes, backplane_group: str = BACKPLANE_GROUP) -> "Notice | GroupEvent | Fault":
    """A text frame from the server dialled, of either era. The event of group `metrics` is for `read_metrics`."""
    document = _read_object(payload)
    if isinstance(document, Fault):
        return document
    if "group" in document:
        return _check_event(document["group"], document.get("message"), backplane_group)
    return _read_notice(document)


def read_metrics(text: str) -> StoredMetrics | Fault:
    """The text of an event of group `metrics`. `metrics_namespace` (AWX 23.8 on) decides the key's form."""
    document = _read_object(text.encode())
    if isinstance(document, Fault) or not isinstance(document.get("metrics"), str):
        return Fault.METRICS
    instance, namespace = document.get("instance"), document.get("metrics_namespace")
    if not _is_key_part(instance):
        return Fault.METRICS
    if namespace is None:
        return StoredMetrics(f"awx_metrics_instance_{instance}", document["metrics"])
    if not _is_key_part(namespace):
        return Fault.METRICS
    return StoredMetrics(f"awx_metrics-{namespace}_instance_{instance}", document["metrics"])


def notice_message(notice: Notice) -> dict[str, Any]:
    """The message that `group_send` brings to the backplane's group, keys in the order that stock sends them."""
    return {
        "type": SUBSCRIBE if notice.subscribe else UNSUBSCRIBE,
        "groups": [*notice.groups],
        "origin_channel": notice.origin_channel,
    }


def encode_notice(notice: Notice) -> bytes:
    """The text frame to a relay link, as Python's `json.dumps` writes it."""
    return json.dumps(notice_message(notice)).encode("ascii")


def split_notice(notice: Notice, most: int = NOTICE_GROUPS) -> Sequence[Notice]:
    """The same in notices that name at most so many groups; at least one, since stock announces empty lists too."""
    starts = range(0, len(notice.groups), most) if notice.groups else range(1)
    return [dataclasses.replace(notice, groups=notice.groups[start : start + most]) for start in starts]


def fingerprint_redis(run_id: str, database: int, prefix: str) -> str:
    """What the header `awxfast-redis` says: equal exactly if both ends use one Redis, database and prefix.

    `run_id` is Redis' own (INFO server), random at each of its starts. Hashed, since it is nobody else's business.
    """
    return hashlib.sha256(f"{run_id}/{database}/{prefix}".encode()).hexdigest()[:32]


def _read_object(payload: bytes) -> dict[str, Any] | Fault:
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return Fault.NOT_JSON
    return document if isinstance(document, dict) else Fault.NOT_THE_WIRES


def _check_event(group: object, text: object, backplane_group: str) -> GroupEvent | Fault:
    if not isinstance(group, str) or not isinstance(text, str):
        return Fault.NOT_THE_WIRES
    if group == backplane_group:
        return Fault.LOOP
    return GroupEvent(group, text) if is_valid_group(group) else Fault.GROUP_NAME


def _read_notice(document: dict[str, Any]) -> Notice | Fault:
    kind, groups, origin = document.get("type"), document.get("groups"), document.get("origin_channel")
    if not isinstance(kind, str):
        return Fault.NOT_THE_WIRES
    if kind not in (SUBSCRIBE, UNSUBSCRIBE):
        return Fault.OTHER_TYPE
    if not isinstance(groups, list) or len(groups) > NOTICE_GROUPS:
        return Fault.NOT_THE_WIRES
    if not isinstance(origin, str) or not 0 < len(origin) <= MAX_CHANNEL:
        return Fault.NOT_THE_WIRES
    return Notice(kind == SUBSCRIBE, _valid_groups(groups), origin)


def _valid_groups(groups: Iterable[object]) -> tuple[str, ...]:
    """Names that no group can have are left out: the browsers of the rest shall not suffer for them."""
    return tuple(group for group in groups if isinstance(group, str) and is_valid_group(group))


def _is_key_part(text: object) -> bool:
    return isinstance(text, str) and _KEY_PART.fullmatch(text) is not None
