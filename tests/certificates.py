"""Certificates that are made for a test, and clients that trust them."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


class SelfSigned:
    """For localhost and 127.0.0.1. `certificate` and `private_key` are the paths of PEM files."""

    def __init__(self, folder: Path, name: str = "server", password: bytes | None = None) -> None:
        self.certificate, self.private_key = folder / f"{name}.crt", folder / f"{name}.key"
        key = ec.generate_private_key(ec.SECP256R1())
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        self.private_key.write_bytes(key.private_bytes(*form, encryption))
        self.certificate.write_bytes(sign(key, name).public_bytes(serialization.Encoding.PEM))

    @property
    def files(self) -> tuple[str, str]:
        """In the order of `Certificate`."""
        return str(self.certificate), str(self.private_key)

    def trust(self) -> ssl.SSLContext:
        """For clients."""
        return ssl.create_default_context(cafile=self.certificate)


def sign(key: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    """The key's own certificate, for an hour."""
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
