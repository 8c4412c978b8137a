"""Keys, and credentials as `nsc` makes them, for servers and users of NATS that are made for a test."""

import base64
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import nkeys


class NatsKey:
    """A pair of an operator, an account or a user."""

    def __init__(self, prefix: int) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), prefix).decode()
        self._pair = nkeys.from_seed(bytearray(self.seed.encode()))
        self.public = self._pair.public_key.decode()

    def sign_claims(self, subject: "NatsKey", name: str, claims: dict[str, Any]) -> str:
        """A JWT in which this key says something of another."""
        body = {"iat": int(time.time()), "iss": self.public, "name": name, "sub": subject.public, "nats": claims}
        body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().rstrip("=")
        text = f"{encode({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{encode(body)}"
        return f"{text}.{encode_bytes(self._pair.sign(text.encode()))}"


class NatsOperator:
    """With one account and one user in it. `settings`: what a server needs to know of them."""

    def __init__(self) -> None:
        operator = NatsKey(nkeys.PREFIX_BYTE_OPERATOR)
        account = NatsKey(nkeys.PREFIX_BYTE_ACCOUNT)
        self.user = NatsKey(nkeys.PREFIX_BYTE_USER)
        unlimited = dict.fromkeys(("subs", "data", "payload"), -1)
        limits = unlimited | dict.fromkeys(("imports", "exports", "conn", "leaf"), -1) | {"wildcards": True}
        operators_word = operator.sign_claims(operator, "site", {"type": "operator", "version": 2})
        accounts_word = operator.sign_claims(account, "awx", {"limits": limits, "type": "account", "version": 2})
        self.users_word = account.sign_claims(
            self.user, "node", {"pub": {}, "sub": {}, **unlimited, "type": "user", "version": 2}
        )
        self.settings = (
            f"operator: {operators_word}\nresolver: MEMORY\nresolver_preload: {{ {account.public}: {accounts_word} }}"
        )

    def write_creds(self, file: Path) -> None:
        file.write_text(
            f"-----BEGIN NATS USER JWT-----\n{self.users_word}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{self.user.seed}\n------END USER NKEY SEED------\n"
        )


def encode(value: object) -> str:
    return encode_bytes(json.dumps(value).encode())


def encode_bytes(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
