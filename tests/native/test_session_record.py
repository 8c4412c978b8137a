"""What a reload hands over of a session, there and back."""

import re

import orjson
from awxfast.native.access import EVERYBODY, Identity
from awxfast.native.credentials import Credentials
from awxfast.native.session_record import Identities, describe_commands, describe_identity, read_commands
from awxfast.native.tokens_file import compile_globs


def there_and_back(identity: Identity, identities: Identities) -> Identity:
    return identities.read(orjson.loads(orjson.dumps(describe_identity(identity))))


class TestIdentity:
    def test_everybody_stays_everybody(self) -> None:
        assert there_and_back(EVERYBODY, Identities()) is EVERYBODY

    def test_rights_and_credentials_come_back(self) -> None:
        groups = compile_globs(["job_events-*", "jobs-status_changed"])
        identity = Identity(7, groups, by_session=True, credentials=Credentials((("cookie", "a=ü"),)))
        again = there_and_back(identity, Identities())
        assert (again.user, again.by_session, again.credentials.headers) == (7, True, (("cookie", "a=ü"),))
        assert again.credentials.digest == identity.credentials.digest
        assert again.groups is not None and again.groups.fullmatch("job_events-5")
        assert not again.groups.fullmatch("schedules-changed")

    def test_user_0_with_a_token_is_not_everybody(self) -> None:
        assert not there_and_back(Identity(0), Identities()).is_everybody

    def test_those_that_are_alike_are_one(self) -> None:
        identities = Identities()
        first = there_and_back(Identity(7, re.compile("a")), identities)
        assert there_and_back(Identity(7, re.compile("a")), identities) is first
        assert there_and_back(Identity(8, re.compile("a")), identities) is not first


class TestCommands:
    def test_texts_and_granted_groups_come_back_in_order(self) -> None:
        commands = [frozenset({"b", "a"}), b'{"groups": {"\xc3\xa9": [1]}}', b""]
        assert read_commands(orjson.loads(orjson.dumps(describe_commands(commands)))) == commands
