"""The metrics of users' own: which readings belong to which step of which rollout, off the tick.

Each metric of a capability with an open window has a task that reads its source again and again. A
look takes what there is by then, so a slow source delays nobody; one that cannot be read keeps the
rollout where it is and says so. Decides nothing: the rules are in migrator/analysis/metric.py.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from migrator.analysis.alpha import refuted_at
from migrator.analysis.metric import NO_COUNTS, MetricWindow, judge_metric
from migrator.analysis.otlp import Received
from migrator.analysis.parity import worse
from migrator.analysis.proportion import Counts
from migrator.analysis.verdict import Verdict, undecided
from migrator.controller.metric_sources import Asked, MetricSources
from migrator.errors import MigratorError
from migrator.flagclient import FlagClient
from migrator.plan.model import Metric, Migration, Step
from migrator.rollout.desired import NEW_IS_ASKED
from migrator.rollout.state import Rollout
from migrator.rollout.transitions import Phase

logger = logging.getLogger(__name__)
_UNREAD: Final = "not read yet"


@dataclass(slots=True)
class _Job:
    """One metric in one window. `problem`: why the newest reading failed; empty if it did not."""

    window: MetricWindow
    problem: str = _UNREAD
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Open:
    """The open window of one capability; `seq` names it."""

    seq: int
    jobs: list[_Job] = field(default_factory=list)


class Metrics:
    """The metrics of all capabilities of one plan."""

    def __init__(self, plan: Migration, flags: FlagClient) -> None:
        self._plan = plan
        metrics = (m for c in plan.spec.capabilities.values() for m in c.analysis.metrics)
        self.received = Received(metrics, began=time.time())
        """What services pushed."""
        self._sources = MetricSources(flags, self.received)
        self._open: dict[str, _Open] = {}

    def follow(self, rollout: Rollout) -> None:
        """Read what the rollout's window needs, and no longer what it does not."""
        name, window = rollout.capability, rollout.window
        metrics = self._plan.spec.capabilities[name].analysis.metrics
        known = self._open.get(name)
        wanted = None if window is None or rollout.phase is Phase.COMPLETE else window
        if known is not None and (wanted is None or known.seq != wanted.seq):
            self._stop(name)
            known = None
        if known is None and wanted is not None and metrics:
            asked = Asked(
                migration=self._plan.metadata.name,
                capability=name,
                step=rollout.shown,
                since=wanted.since,
            )
            self._open[name] = _Open(wanted.seq, [self._start(each, asked) for each in metrics])

    def judge(self, rollout: Rollout, step: Step, verdict: Verdict) -> Verdict:
        """`verdict` with what the readings so far say of this step.

        Before `live` nobody gets the service's answers, and after the last step there is nothing
        left to compare it with.
        """
        limits = self._plan.spec.capabilities[rollout.capability].analysis
        if not limits.metrics or step.stage not in NEW_IS_ASKED or rollout.phase is Phase.COMPLETE:
            return verdict
        evidence = refuted_at(limits).metric
        jobs = self._jobs(rollout)
        if not jobs:
            return worse(verdict, undecided(f"{limits.metrics[0].name}: {_UNREAD}"))
        for job in jobs:
            metric = job.window.metric
            if job.problem:
                found = undecided(f"{metric.name}: {job.problem}")
            else:
                past = rollout.metrics.get(metric.name, NO_COUNTS)
                found = judge_metric(job.window, past=past, refuted_at=evidence)
            verdict = worse(verdict, found)
        return verdict

    def counted(self, rollout: Rollout) -> Mapping[str, Counts]:
        """The monolith's counts in the open window, by metric."""
        windows = (job.window for job in self._jobs(rollout))
        return {each.metric.name: each.counted for each in windows if each.metric.is_proportion}

    def shown(self, name: str) -> list[dict[str, Any]]:
        """For people: each metric's figures in the open window, and what is wrong with its source
        (None: nothing)."""
        known = self._open.get(name)
        return [
            {
                "name": job.window.metric.name,
                **job.window.to_json(),
                "problem": job.problem or None,
            }
            for job in (known.jobs if known else [])
        ]

    async def close(self) -> None:
        """Stop reading."""
        tasks = [job.task for each in self._open.values() for job in each.jobs if job.task]
        for name in list(self._open):
            self._stop(name)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._sources.aclose()

    def _jobs(self, rollout: Rollout) -> list[_Job]:
        known, window = self._open.get(rollout.capability), rollout.window
        return known.jobs if known and window and known.seq == window.seq else []

    def _start(self, metric: Metric, asked: Asked) -> _Job:
        job = _Job(MetricWindow(metric=metric))
        job.task = asyncio.create_task(self._read(job, metric, asked))
        return job

    def _stop(self, name: str) -> None:
        for job in self._open.pop(name).jobs:
            if job.task is not None:
                job.task.cancel()

    async def _read(self, job: _Job, metric: Metric, asked: Asked) -> None:
        while True:
            try:
                job.window = job.window.read(await self._sources.read(metric, asked))
                job.problem = ""
            except MigratorError as error:
                self._failed(job, asked, str(error))
            except Exception as error:  # whatever is wrong must not pass for good figures
                self._failed(job, asked, repr(error))
            await asyncio.sleep(metric.interval)

    def _failed(self, job: _Job, asked: Asked, problem: str) -> None:
        if job.problem != problem:
            name = job.window.metric.name
            logger.warning(
                "metric.read.failed capability=%s metric=%s %s", asked.capability, name, problem
            )
        job.problem = problem
