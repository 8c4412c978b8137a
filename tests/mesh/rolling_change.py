"""Programs of a mesh's nodes replaced one by one under load, and which events that may cost.

A stock program that ends loses what it had not passed on, and what is made until its successor has been linked again.
Nothing else is lost in a stock mesh, so nothing else may be in one that changes to awxfast.
"""

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable

from events import GROUPS, group_of
from load import Load
from meshes import Mesh
from nodes import Node
from pages import open_page

Pair = tuple[int, int]
"""The numbers of the node that makes events and of the one whose page they are for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Which events of a pair may be missing: later than the last that had come, before the first that had to again."""

    came: dict[str, int]
    whole: int

    def explains(self, number: int) -> bool:
        return self.came[group_of(number)] < number < self.whole


class RollingChange:
    """One mesh, one load. `era` is the producers', which decides which way events take."""

    def __init__(self, mesh: Mesh, load: Load, era: str, pause: int) -> None:
        """`pause`: how many events each node makes between two changes."""
        self.mesh, self.load, self.era, self.pause = mesh, load, era, pause
        self.windows: dict[Pair, list[Window]] = defaultdict(list)

    async def change_node(self, node: Node, kinds: str) -> None:
        """Dialler first, then server, each on its own; the load goes on in between and after."""
        server_kind, dialler_kind = kinds.split()
        await self.change_dialler(node, dialler_kind)
        await self.load.go_on(self.pause)
        await self.change_server(node, server_kind)
        await self.load.go_on(self.pause)

    async def change_dialler(self, node: Node, kind: str) -> None:
        """In the broadcast era it brings what others make, in the relay era it takes away what is made here."""
        others = [other.number for other in self.mesh.nodes if other is not node]
        here = node.number
        pairs = [(other, here) if self.era == "broadcast" else (here, other) for other in others]
        async with self.interrupted(pairs):
            await node.stop_dialler()
            node.dialler_kind = kind
            await node.start_dialler(self.mesh.dialler_era, self.mesh.peers_of(node))

    async def change_server(self, node: Node, kind: str) -> None:
        """Its pages are cut off and come back. In the broadcast era others also get from it what is made here."""
        pairs = [(maker.number, node.number) for maker in self.mesh.nodes]
        if self.era == "broadcast":
            pairs += [(node.number, other.number) for other in self.mesh.nodes if other is not node]
        async with self.interrupted(pairs):
            port = node.server_port
            await node.stop_server()
            node.server_kind = kind
            await node.start_server(port)
            await self.reopen_page(node)

    async def reopen_page(self, node: Node) -> None:
        """As AWX's page does; it goes on counting where it was."""
        former = self.mesh.pages[node.number]
        await former.browser.gone.wait()
        page = self.mesh.pages[node.number] = await open_page(node.server_url, GROUPS)
        page.received = former.received

    @contextlib.asynccontextmanager
    async def interrupted(self, pairs: Iterable[Pair]) -> AsyncIterator[None]:
        """Ends when all pages hear all nodes again."""
        pages = self.mesh.pages
        came = {(maker, hearer): {g: pages[hearer].last(maker, g) for g in GROUPS} for maker, hearer in pairs}
        yield
        await self.mesh.until_linked()
        await self.mesh.until_heard(navigating=True)
        for maker, hearer in came:
            self.windows[maker, hearer].append(Window(came[maker, hearer], self.load.next[maker]))

    def lost(self) -> dict[Pair, list[int]]:
        """What each page has missed of each node."""
        lost = {}
        for hearer, page in enumerate(self.mesh.pages):
            for maker, made in self.load.made.items():
                got = set(page.numbers(maker))
                lost[maker, hearer] = [number for number in made if number not in got]
        return lost

    def unexplained(self) -> dict[Pair, list[int]]:
        """Of these, what no restart accounts for."""
        unexplained = {
            pair: [number for number in lost if not any(window.explains(number) for window in self.windows[pair])]
            for pair, lost in self.lost().items()
        }
        return {pair: numbers for pair, numbers in unexplained.items() if numbers}
