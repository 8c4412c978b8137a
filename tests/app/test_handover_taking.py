"""What another process left, taken back by each room: one that can't be gone on with costs nobody else."""

import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from awxfast.app import handover_taking
from awxfast.app.handover_taking import Heir
from awxfast.wire.close_codes import ABNORMAL


class Session:
    """A browser's, which the other process had."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.ended: list[int] = []

    def resume(self, connection: Any, frozen: Any) -> None:
        if self.fault == "session":
            raise ValueError("it makes no sense")

    def end(self, code: int) -> None:
        self.ended.append(code)


class Connection:
    """That session's socket."""

    def __init__(self, clients: Any, session: Session, label: Any) -> None:
        self.session = session

    def resume(self, record: Any, client: int) -> None:
        if self.session.fault == "connection":
            raise ValueError("it makes no sense")

    def connection_lost(self, exc: Exception | None) -> None:
        self.session.end(ABNORMAL)


@pytest.mark.parametrize("fault", ["connection", "session"])
def test_session_that_can_not_be_gone_on_with_is_ended_with_its_socket(
    monkeypatch: pytest.MonkeyPatch, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Else its consumer would wait for ever, and the next reload for it."""
    monkeypatch.setattr(handover_taking, "Connection", Connection)
    session, detached = Session(fault), []
    rooms: Any = SimpleNamespace(
        fanout=SimpleNamespace(take_client=lambda descriptor, client: (7, None), detach=detached.append),
        intake=None,
        server=SimpleNamespace(websockets=SimpleNamespace(add_inherited=lambda connection, due: None)),
        sessions=SimpleNamespace(begin_again=lambda identities, frozen: session),
        nodes=None,
        engine=None,
    )
    ours, theirs = socket.socketpair()
    record = {"client": 3, "session": {}, "label": None, "seat": None, "due": None}
    with theirs:
        descriptor = ours.detach()
        assert Heir(rooms)._take_client(record, descriptor) is None
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    assert (session.ended, detached) == ([ABNORMAL], [7])
    assert "a client is lost, it can't be taken over: unexpected ValueError: it makes no sense" in caplog.text
