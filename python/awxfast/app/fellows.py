"""What a worker has of the others that serve the same application at the same time."""

import dataclasses
from collections.abc import Awaitable, Callable

from awxfast.system.shares import Shares


@dataclasses.dataclass(frozen=True, slots=True)
class Fellows:
    """`claim_header`: whether none of them has let in a node by this header before; only this one has from now on.

    `wait_until_ready`: returns when all of them could listen, at their first start. Who was first would have everybody
    who waits by then.
    """

    shares: Shares
    claim_header: Callable[[str], Awaitable[bool]]
    wait_until_ready: Callable[[], Awaitable[None]]
