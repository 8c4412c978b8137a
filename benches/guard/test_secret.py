"""The nodes' secret: what each link's handshake pays."""

import hashlib
import hmac
import itertools
import json

from awxfast._rust import SecretVerifier, sign_secret

from guard.comparison import Compare

SECRET = "a secret that the nodes share"
NOW = 1_795_561_314


def test_secret_verify(compare: Compare) -> None:
    verifier = SecretVerifier([SECRET])
    header = sign_secret(SECRET, NOW).encode()
    assert verifier.verify(header, NOW)[0] == "ok"
    payload = {"secret": SECRET, "nonce": str(NOW)}

    def sign_in_python() -> str:
        return hmac.new(SECRET.encode(), json.dumps(payload).encode(), hashlib.sha256).hexdigest()

    compare(lambda: verifier.verify(header, NOW), sign_in_python)


def test_nonce(compare: Compare) -> None:
    """Headers that were not seen before: each is remembered, and the oldest forgotten when there are too many."""
    verifier = SecretVerifier([SECRET], remember=256)
    headers = itertools.cycle([sign_secret(SECRET, NOW + skew % 300).encode() for skew in range(512)])
    seen: dict[bytes, int] = {}

    def remember_in_python() -> None:
        header = next(headers)
        digest = hmac.digest(SECRET.encode(), header, "sha256")
        seen[digest] = NOW
        if len(seen) > 256:
            del seen[next(iter(seen))]

    compare(lambda: verifier.verify(next(headers), NOW), remember_in_python)
