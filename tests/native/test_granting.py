"""Rights to the groups of one command, asked of an access that answers as it is told."""

import json
from collections.abc import Mapping, Sequence

import pytest
from awxfast.errors import AccessUnavailable
from awxfast.native.access import Identity, RefuseAccess
from awxfast.native.granting import PART, grant, recall_groups
from awxfast.turns import Turns
from awxfast.wire.browser_commands import Command, Want, read_command

SOMEBODY = Identity(user=7)


class Rights(RefuseAccess):
    """Jobs below 100 may be seen, which is known of those below 50; nobody can tell about the 77th."""

    def recall_right(self, identity: Identity, want: Want) -> bool:
        return int(want.value) < 50

    async def may_subscribe(self, identity: Identity, want: Want) -> bool:
        if want.value == "77":
            raise AccessUnavailable("nobody answers")
        return int(want.value) < 100


def command(groups: Mapping[str, Sequence[int]]) -> Command:
    return read_command(json.dumps({"groups": groups}).encode(), None, 1000)


def recall(*jobs: int, room: int = 1000) -> set[str] | None:
    turns = Turns(1000)
    assert room == 1000 or turns.take_at_once(1000 - room)  # by somebody else
    return recall_groups(Rights(), turns, SOMEBODY, command({"job_events": jobs}))


class TestRecall:
    async def test_all_that_is_known_is_granted_at_once(self) -> None:
        assert recall(1, 2) == {"job_events-1", "job_events-2"}

    async def test_one_that_has_to_be_asked_for_makes_it_another_command(self) -> None:
        assert recall(1, 60) is None

    async def test_command_without_groups_is_another_one(self) -> None:
        assert recall_groups(Rights(), Turns(10), SOMEBODY, read_command(b"{}", None, 1000)) is None

    @pytest.mark.parametrize(("room", "granted"), [(39, False), (40, True)])
    async def test_a_turn_has_room_for_all_of_them_or_none_is_looked_at(self, room: int, granted: bool) -> None:
        assert (recall(*range(40), room=room) is not None) is granted

    async def test_more_than_a_part_is_never_looked_at_at_once(self) -> None:
        groups = {f"kind{number}": [1] for number in range(PART + 1)}
        assert recall_groups(Rights(), Turns(1000), SOMEBODY, command(groups)) is None
        del groups["kind0"]
        assert recall_groups(Rights(), Turns(1000), SOMEBODY, command(groups)) == {f"{kind}-1" for kind in groups}


class TestGrant:
    async def test_errors_come_in_the_order_of_the_command_beside_what_is_granted(self) -> None:
        granted = await grant(Rights(), Turns(1000), SOMEBODY, command({"job_events": [1, 100, 77, 99]}))
        assert granted.groups == {"job_events-1", "job_events-99"}
        assert granted.reasons == ["access", "unavailable"]
        assert [json.loads(error)["error"] for error in granted.errors] == [
            "access denied to channel job_events for resource id 100",
            "access denied to channel job_events for resource id 77",
        ]

    async def test_what_is_no_group_is_an_error_too(self) -> None:
        granted = await grant(Rights(), Turns(1000), SOMEBODY, read_command(b"[]", None, 1000))
        assert (granted.groups, len(granted.reasons), len(granted.errors)) == (set(), 1, 1)
