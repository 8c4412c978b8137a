"""What the admin listener's pages are made of, in main: asked of the serving processes whenever somebody looks."""

import operator
import os
from collections.abc import Sequence
from typing import Any

from awxfast import __version__
from awxfast.figures import About, Place
from awxfast.operate.counts import Counts, add_counts
from awxfast.operate.snapshot import MOST_SLOW_CLIENTS
from awxfast.operate.summed_figures import SummedFigures
from awxfast.operate.view import Shared, View
from awxfast.process.supervisor import Supervisor
from awxfast.process.workers import Workers
from awxfast.system.queued_stream import dropped_lines


class Overview:
    """As `operate.view.Source`. Who looks at once with others has the same view."""

    def __init__(self, workers: Workers, addresses: Sequence[str]) -> None:
        """`addresses`: where the server listens, also when nobody serves."""
        self._workers = workers
        self._nobody = About(__version__, 0.0, addresses, None)
        self._views = Shared(self._look)

    async def look(self) -> View:
        """All figures; of who does not answer in time the last ones."""
        return await self._views.get()

    async def _look(self) -> View:
        _, silent = await self._workers.ask("look", "figures")
        workers = self._workers
        place = Place(os.getpid(), workers.generation, workers.reloads, workers.draining)
        entries = [self._show(one) for one in workers.supervisors] if workers.are_several else []
        return View(self._sum(workers.supervisors, silent), place, entries)

    def _sum(self, supervisors: Sequence[Supervisor], silent: Sequence[str]) -> SummedFigures:
        """Main's own lines are in the log, too."""
        counted: Counts = {"log_lines_dropped": {**dropped_lines()}}
        serving: dict[int, Any] = {}
        draining: list[Any] = []
        for one in supervisors:
            counted = add_counts(counted, one.tally.sum())
            present, others = one.list_present()
            serving.update((one.number, told) for told in present)
            draining += others
        return SummedFigures(counted, serving, draining, silent, self._nobody)

    def _show(self, supervisor: Supervisor) -> dict[str, Any]:
        """What one of several has counted, with those before it and those that drain beside it."""
        ledger = self._sum([supervisor], []).ledger()
        return {"worker": supervisor.number, "pid": supervisor.pid, "generation": supervisor.generation, **ledger}

    async def list_slow_clients(self) -> Sequence[Any]:
        """Clients with something queued or shed, those with the most of it."""
        answers, _ = await self._workers.ask("look_at_clients", "clients")
        rows = [row for answer in answers for row in answer["rows"]]
        return sorted(rows, key=operator.itemgetter("frames"), reverse=True)[:MOST_SLOW_CLIENTS]

    async def list_hanging(self) -> Sequence[str]:
        """A line for each place where the loop of the process that serves does not run."""
        return await self._workers.list_hanging()
