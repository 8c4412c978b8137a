"""Who may connect in native mode: what `--auth` says."""

import logging
from pathlib import Path

from awxfast.errors import ConfigurationError
from awxfast.native.access import Access, OpenAccess, RefuseAccess
from awxfast.native.api_url import check_url
from awxfast.native.tokens_file import TokensAccess, read_tokens
from awxfast.settings import Settings

log = logging.getLogger(__name__)


def build_access(settings: Settings) -> Access:
    """Who may connect: `--auth`. Without it nobody may, and the log says so. Raises `ConfigurationError`."""
    check_auth(settings)
    kind, _, value = (settings.auth or "").partition("=")
    match kind:
        case "open":
            return OpenAccess()
        case "tokens":
            return TokensAccess(Path(value))
        case "forward":
            from awxfast.native.forward import ForwardAccess  # aiohttp costs main and those who don't ask too much

            return ForwardAccess(value, settings.auth_ca_file)
    log.warning("Every browser is refused: --auth says who may connect (tokens=FILE, forward=URL or open)")
    return RefuseAccess()


def check_auth(settings: Settings) -> None:
    """Whether `--auth` can be meant. Raises `ConfigurationError`."""
    kind, _, value = (settings.auth or "").partition("=")
    if kind == "tokens" and value:
        read_tokens(Path(value))
    elif kind == "forward" and value:
        check_url(value)
    elif settings.auth not in (None, "open"):
        raise ConfigurationError("--auth: give tokens=FILE, forward=URL or open")  # it may be a token: not repeated
