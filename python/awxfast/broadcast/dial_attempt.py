"""Dials one peer once: TCP, TLS, the upgrade with a fresh secret header. Redirects are not followed."""

import logging
import ssl
import time
from collections.abc import Callable
from typing import Any

from picows import WSError, WSHandshakeError, WSUpgradeResponse, ws_connect

from awxfast._rust import sign_secret
from awxfast.broadcast.dial_failure import DialFailure, explain_answer, explain_error
from awxfast.broadcast.dialled_link import DialledLink
from awxfast.broadcast.engine_offer import DialOffer
from awxfast.broadcast.era import Era
from awxfast.broadcast.fragments import MAX_MESSAGE
from awxfast.broadcast.target import Target
from awxfast.errors import AwxfastError, ConfigurationError
from awxfast.late_timeouts import answered_within
from awxfast.wire.backplane import REDIS_HEADER
from awxfast.wire.engine_handshake import ENGINE_HEADER

DIAL_TIMEOUT = 10.0
HANDSHAKE_TIMEOUT = 9.0
"""Less than the former, so that picows itself ends what hangs after the connection is there."""
PING_INTERVAL = 20.0
"""Seconds without anything from the peer after which it is pinged; as many more, and it is gone."""

UNASKED = ("Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol")
"""Headers of a 101 that fail the connection, as nothing of the kind was asked for (RFC 6455 section 4.1)."""

MakeLink = Callable[[str], DialledLink]
"""A link, given what the peer says about its Redis."""

# picows logs each connection and each fault of a peer by itself; what operators need is said once, by us.
_silent = logging.Logger("picows", logging.CRITICAL + 1)

LINK_OPTIONS: dict[str, Any] = {
    "logger_name": _silent,
    "enable_auto_pong": False,
    "enable_auto_ping": True,
    "auto_ping_idle_timeout": PING_INTERVAL,
    "auto_ping_reply_timeout": PING_INTERVAL,
    "max_frame_size": MAX_MESSAGE,
    "max_redirects": 0,
    "use_aiofastnet": False,
}
"""What is the same for all links."""


class DialError(AwxfastError):
    """The dial failed; `failure` says why."""

    def __init__(self, failure: DialFailure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class OtherEngine(WSError):
    """What the server says of the engine does not fit what is heard there; `failure` says how."""

    def __init__(self, failure: DialFailure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Caller:
    """Dials with one node's settings. `secret` gives the secret to send; a new nonce is made for each dial."""

    def __init__(self, protocol: str, secret: Callable[[], str], tls: ssl.SSLContext | None) -> None:
        self.protocol = protocol
        self._secret = secret
        self._tls = tls

    async def dial(self, target: Target, era: Era, make_link: MakeLink, offer: DialOffer | None = None) -> DialledLink:
        """An open link. `offer`: what is said of an engine. Raises `DialError`."""
        try:
            async with answered_within(DIAL_TIMEOUT):
                return await self._connect(target, era, make_link, offer)
        except OtherEngine as error:
            raise DialError(error.failure) from error
        except WSHandshakeError as error:
            raise DialError(explain_handshake(target, error)) from error
        except (OSError, TimeoutError, WSError, ValueError) as error:
            raise DialError(explain_error(error)) from error

    async def _connect(self, target: Target, era: Era, make_link: MakeLink, offer: DialOffer | None) -> DialledLink:
        headers = {"Host": target.host_header, "secret": sign_secret(self._secret(), int(time.time()))}
        if offer is not None:
            headers[ENGINE_HEADER] = offer.header
        _, link = await ws_connect(
            lambda _, response: accept_answer(response, make_link, offer),
            target.url(era.value),
            ssl_context=self._tls,
            extra_headers=headers,
            websocket_handshake_timeout=HANDSHAKE_TIMEOUT,
            **LINK_OPTIONS,
            server_hostname=target.certificate_name if self._tls is not None else None,
        )
        if not isinstance(link, DialledLink):  # picows returns without one when the peer hangs up instead of answering
            raise DialError(DialFailure("hung_up", "the peer hung up instead of answering"))
        return link


def accept_answer(response: WSUpgradeResponse, make_link: MakeLink, offer: DialOffer | None = None) -> DialledLink:
    """The link of a 101. Raises `WSError` for one that takes into use what was not asked for, and `OtherEngine`."""
    if any(name in response.headers for name in UNASKED):
        raise WSError("it takes an extension or a subprotocol into use that was not asked for")
    redis = response.headers.get(REDIS_HEADER, "")
    if offer is not None and (failure := offer.take_answer(response.headers.get(ENGINE_HEADER, ""), redis)):
        raise OtherEngine(failure)
    return make_link(redis)


def explain_handshake(target: Target, error: WSHandshakeError) -> DialFailure:
    """An answer that is not the expected one."""
    if error.response is None or error.response.status == 101:
        return explain_error(error)
    return explain_answer(target, int(error.response.status), error.response.headers, time.time())


def tls_context(verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """For `--protocol https`. Raises `ConfigurationError` for a file that holds no certificates."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"--ca-file {ca_file}: it is not a readable PEM file with certificates") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
