"""Who is let in where nobody has to be asked, and what is shown of whom."""

from awxfast.native.access import Identity, OpenAccess, RefuseAccess
from awxfast.native.credentials import Credentials
from awxfast.wire.browser_commands import Want
from awxfast.wire.request import Request

ANONYMOUS = Request("GET", "1.1", "/websocket/")
WITH_TOKEN = Request("GET", "1.1", "/websocket/", b"token=T")


def want(group: str) -> Want:
    return Want(group, *group.split("-", 1))


class TestOpenAndRefuse:
    async def test_open_knows_everybody_as_user_0(self) -> None:
        identity = OpenAccess().identify(ANONYMOUS)
        assert identity == Identity(user=0)
        assert await OpenAccess().may_subscribe(identity, want("job_events-42"))
        assert OpenAccess().recall_right(identity, want("job_events-42"))

    async def test_refuse_knows_nobody(self) -> None:
        assert RefuseAccess().identify(WITH_TOKEN) is None
        assert not await RefuseAccess().may_subscribe(Identity(user=0), want("jobs-summary"))


class TestIdentity:
    def test_credentials_are_not_shown(self) -> None:
        assert "SECRET" not in repr(Identity(user=1, credentials=Credentials((("cookie", "SECRET"),))))
