"""What the admin listener's pages are made of, in main: asked of the serving processes whenever somebody looks."""

import operator
import os
from collections.abc import Sequence
from typing import Any

from awxfast import __version__
from awxfast.figures import About, Place
from awxfast.operate.counts import add_counts
from awxfast.operate.snapshot import MOST_SLOW_CLIENTS
from awxfast.operate.summed_figures import SummedFigures
from awxfast.operate.view import Shared, View
from awxfast.process.supervisor import Supervisor
from awxfast.system.queued_stream import dropped_lines


class Overview:
    """As `operate.view.Source`. Who looks at once with others has the same view."""

    def __init__(self, supervisor: Supervisor, addresses: Sequence[str]) -> None:
        """`addresses`: where the server listens, also when nobody serves."""
        self._supervisor = supervisor
        self._nobody = About(__version__, 0.0, addresses, None)
        self._views = Shared(self._look)

    async def look(self) -> View:
        """All figures; of who does not answer in time the last ones."""
        return await self._views.get()

    async def _look(self) -> View:
        _, silence = await self._supervisor.ask("look", "figures")
        supervisor = self._supervisor
        counted = add_counts({"log_lines_dropped": {**dropped_lines()}}, supervisor.tally.sum())
        figures = SummedFigures(counted, *supervisor.list_present(), list_reasons(silence), self._nobody)
        return View(figures, Place(os.getpid(), supervisor.generation, supervisor.reloads, supervisor.draining))

    async def list_slow_clients(self) -> Sequence[Any]:
        """Clients with something queued or shed, those with the most of it."""
        answers, _ = await self._supervisor.ask("look_at_clients", "clients")
        rows = [row for answer in answers for row in answer["rows"]]
        return sorted(rows, key=operator.itemgetter("frames"), reverse=True)[:MOST_SLOW_CLIENTS]

    async def list_hanging(self) -> Sequence[str]:
        """A line where the loop of the process that serves does not run."""
        _, silence = await self._supervisor.ask("ping", "pong")
        return list_reasons(silence)


def list_reasons(silence: str | None) -> Sequence[str]:
    """Why somebody is not heard, if he is not."""
    return [silence] if silence is not None else []
