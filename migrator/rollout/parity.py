"""The windows of the parity gate: which pairs belong to which step of which rollout. Pure.

Called by the controller at each look, and by the simulation.
"""

from typing import Final

from migrator.analysis.parity import ParityWindow, judge_parity, judge_probes, worse
from migrator.analysis.stats import Counters
from migrator.analysis.verdict import Verdict
from migrator.plan.model import ParityLimit, Stage, Step
from migrator.rollout.state import Window
from routing.stages import TABLE, Access

MIRRORED: Final = frozenset(stage for stage in Stage if TABLE[stage, Access.READ].also)
"""Stages at which reads are compared."""
WRITTEN: Final = frozenset(stage for stage in Stage if TABLE[stage, Access.WRITE].also)
"""Those at which both sides get writes."""


class ParityGate:
    """The open window of each capability."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[int, ParityWindow]] = {}

    def judge(
        self,
        name: str,
        counters: Counters,
        window: Window,
        step: Step,
        limit: ParityLimit | None,
        verdict: Verdict,
    ) -> Verdict:
        """`verdict` with what the newest counters say of parity at this step."""
        if limit is None or step.stage not in WRITTEN:
            return verdict
        seq, seen = self._windows.get(name, (None, None))
        if seen is None or seq != window.seq:
            seen = ParityWindow(last=window.base)
        seen = seen.read(counters)
        self._windows[name] = window.seq, seen
        if step.stage in MIRRORED:
            verdict = worse(verdict, judge_parity(seen.pairs, limit))
        if seen.probes.compared:
            verdict = worse(verdict, judge_probes(seen.probes, limit))
        return verdict
