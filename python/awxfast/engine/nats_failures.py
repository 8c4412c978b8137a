"""Why a server of NATS is of no use, in words for an operator: without a secret, whatever it says."""

import ssl
from collections.abc import Collection

from nats import errors

from awxfast.errors import ConfigurationError
from awxfast.printable import escape

OPEN_SECONDS = 2.0
"""For a server to answer a new connection, its TLS and login included."""
UNAUTHORIZED = ("authorization violation", "authentication expired", "authentication revoked")
LIMITS = ("maximum subscriptions exceeded", "maximum account active connections exceeded")
"""What a server says of limits of ours. Which of the channels it does not take it does not say."""
LEAST_SECRET = 6
"""Letters: a shorter one would be found in words of all kinds."""


class NoTls(errors.Error):
    """TLS was asked for, and the server has none: nothing of ours goes there in the clear."""


def is_refusal(error: Exception) -> bool:
    """Whether somebody has to change something: who we are, certificates, or what the address says."""
    is_ours = isinstance(error, ConfigurationError | NoTls | ssl.SSLError)
    return is_ours or says_unauthorized(error) or names_limit(str(error))


def names_limit(text: str) -> bool:
    """Whether it is one that somebody has to raise."""
    return any(limit in text.lower() for limit in LIMITS)


def says_unauthorized(error: Exception) -> bool:
    """Whether it is the server's word for it."""
    return isinstance(error, errors.Error) and any(word in str(error).lower() for word in UNAUTHORIZED)


def describe_failure(error: Exception, secrets: Collection[str] = ()) -> str:
    """Of what nobody has words for only the kind, as a secret may be in its text."""
    match error:
        case ConfigurationError():
            return str(error)
        case NoTls():
            return "it has no TLS, which --engine asks for"
        case errors.UnexpectedEOF() | errors.StaleConnectionError():
            return "the connection broke"
        case ssl.SSLCertVerificationError():
            return f"its certificate is refused: {error.verify_message} (authorities: ?ssl_ca_certs=FILE)"
        case ssl.SSLError():
            return f"TLS fails: {(error.reason or 'the connection broke').replace('_', ' ').lower()}"
        case TimeoutError():
            return f"it does not answer within {OPEN_SECONDS:.0f} s"
        case OSError():
            return escape(error.strerror or str(error) or type(error).__name__)
        case errors.Error() if says_unauthorized(error):
            return "it refuses the user, token or key of --engine"
        case errors.Error():
            said = str(error).removeprefix("nats: ").strip(" '")  # nats-py repeats it with quotes
            return f"it says {quote(said, secrets)}"
        case AttributeError() | LookupError() | TypeError() | ValueError() | RecursionError():
            return f"it answers out of protocol ({type(error).__name__})"  # nats-py, of what it did not expect
    return f"unexpected {type(error).__name__}"


def quote(text: str, secrets: Collection[str]) -> str:
    """A server's words, unless they have our login in them, of which what we sent as JSON may be a part."""
    text = text.partition("{")[0]
    if any(secret.lower() in text.lower() for secret in secrets if len(secret) >= LEAST_SECRET):
        return "something with the login of --engine in it"
    return escape(text)
