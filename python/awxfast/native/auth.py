"""Who may connect in native mode: what `--auth` says."""

import logging
from pathlib import Path

from awxfast.errors import ConfigurationError
from awxfast.native.access import Access, OpenAccess, RefuseAccess, TokensAccess
from awxfast.native.forward import ForwardAccess
from awxfast.settings import Settings

logger = logging.getLogger(__name__)


def build_access(settings: Settings) -> Access:
    """Who may connect: `--auth`. Without it nobody may, and the log says so."""
    kind, _, value = (settings.auth or "").partition("=")
    if settings.auth is None:
        logger.warning("Every browser is refused: --auth says who may connect (tokens=FILE, forward=URL or open)")
        return RefuseAccess()
    if settings.auth == "open":
        return OpenAccess()
    if kind == "tokens" and value:
        return TokensAccess(Path(value))
    if kind == "forward" and value:
        return ForwardAccess(value, settings.auth_ca_file)
    raise ConfigurationError("--auth: give tokens=FILE, forward=URL or open")  # it may be a token: not repeated
