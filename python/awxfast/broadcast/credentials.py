"""What this node shows to peers, and needs of them, wherever it is kept: the secret, the layer's keys, certificates."""

import os
import ssl

from awxfast.broadcast.awx_settings import load_awx_settings
from awxfast.broadcast.dial_attempt import tls_context
from awxfast.broadcast.options import DiallerSettings
from awxfast.errors import ConfigurationError
from awxfast.wire.encryption_keys import EncryptionKeys
from awxfast.wire.secret_sources import find_secrets


def find_secret(settings: DiallerSettings) -> str:
    """The one to send; empty where nobody is dialled. Raises `ConfigurationError`: without, nobody would let us in."""
    secrets = find_secrets(settings.secret_files, os.environ, settings.secret_of_awx)
    if not secrets and settings.engine is not None and not settings.dials:
        return ""
    if not secrets:
        raise ConfigurationError(
            "no secret: --secret-file, AWXFAST_SECRET or AWX's settings must give one; "
            "none is needed where events go by --engine alone (--no-mesh)"
        )
    return secrets[0]


def find_keys(settings: DiallerSettings) -> EncryptionKeys:
    """Those of the layer. AWX's are read from its settings by the process that needs them, and told to nobody.

    Raises `ConfigurationError`.
    """
    asks_awx = settings.has_keys_of_awx and not settings.encryption_key_files
    return EncryptionKeys(settings.encryption_key_files, load_awx_settings().encryption_keys if asks_awx else ())


def make_tls(settings: DiallerSettings) -> ssl.SSLContext | None:
    """How certificates are checked; None where peers are dialled by http."""
    return tls_context(settings.verify_cert, settings.ca_file) if settings.protocol == "https" else None
