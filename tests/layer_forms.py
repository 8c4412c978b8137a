"""The forms of the channel layer that tests/e2e runs with (`pytest --layer FORM`): one entry a form.

Producers' processes read this table too, in whichever Python their form needs: nothing here needs the tests' packages.
"""

import dataclasses
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

KEY_FILE = Path(__file__).with_name("vectors") / "encryption-keys.txt"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerForm:
    """How a relay is told of a form, and what makes its stock producers.

    `options` are a relay's; `configuration` what CHANNEL_LAYERS has beside `hosts` and the usual, for producers and
    sites; `servers` how many Redis there are; `python` the interpreter that has the producers' packages. `prefix` and
    `size`, the command that counts a queue's entries, are for tests that look into Redis; not if nothing `stores`.
    `rate`: events a second of a producer that is not to be faster than fifty browsers in Python; 0: it is not.
    """

    chosen: ClassVar[str] = "core"
    """That of this run."""

    options: tuple[str, ...] = ()
    backend: str = "channels_redis.core.RedisChannelLayer"
    configuration: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    servers: int = 1
    prefix: str = "asgi"
    size: str = "ZCARD"
    stores: bool = True
    rate: int = 0
    python: Callable[[], str] = lambda: sys.executable

    def new_layer(self, urls: Sequence[str], **options: Any) -> Any:
        """A stock layer of this form, configured as AWX has it, but for `options`."""
        module, _, name = self.backend.rpartition(".")
        configuration = {"hosts": list(urls), "capacity": 10_000, **self.configuration, **options}
        return getattr(importlib.import_module(module), name)(**configuration)

    def group_key(self, group: str) -> str:
        """Where the members of a group stand."""
        return f"{self.prefix}:group:{group}"

    def count_waiting(self, client: Any) -> int:
        """Events in the queues of all processes."""
        return sum(client.execute_command(self.size, key) for key in client.keys(f"{self.prefix}specific.*"))

    def relay_options(self, urls: Sequence[str]) -> list[str]:
        """Options of a relay that has been given the first of `urls`."""
        return [*(word for url in urls[1:] for word in ("--redis", url)), *self.options]


def find_python_14() -> str:
    """That of an environment with AWX 14's packages, made when it is first asked for."""
    from environments import AWX_14, find_python

    return str(find_python(AWX_14))


def find_python_24() -> str:
    """The same of AWX 24's, among them channels_redis 3."""
    from environments import AWX_24, find_python

    return str(find_python(AWX_24))


ENCRYPTED = LayerForm(
    options=("--encryption-key-file", str(KEY_FILE)),
    configuration={"symmetric_encryption_keys": KEY_FILE.read_text().splitlines()},
)


FORMS: dict[str, LayerForm] = {
    "core": LayerForm(),
    "lists": LayerForm(options=("--layer", "lists"), prefix="asgi:", size="LLEN", rate=200, python=find_python_14),
    "pubsub": LayerForm(
        options=("--layer", "pubsub"), backend="channels_redis.pubsub.RedisPubSubChannelLayer", stores=False, rate=120
    ),
    "hosts": LayerForm(servers=3),
    "encrypted": ENCRYPTED,
    "channels_redis_3": LayerForm(rate=300, python=find_python_24),
    "channels_redis_3_encrypted": dataclasses.replace(ENCRYPTED, rate=300, python=find_python_24),
}


def chosen_form() -> LayerForm:
    """That of this run."""
    return FORMS[LayerForm.chosen]


async def close_layer(layer: Any) -> None:
    """Closes a stock layer's connections, in any version of channels_redis."""
    if hasattr(layer, "close_pools"):
        await layer.close_pools()
