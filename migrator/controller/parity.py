"""The windows of the parity gate: which pairs belong to which step of which rollout."""

from migrator.analysis.parity import ParityWindow, judge_parity, worse
from migrator.analysis.stats import Counters
from migrator.analysis.verdict import Verdict
from migrator.plan.model import ParityLimit, Stage, Step
from migrator.rollout.state import Window

COMPARED = frozenset({Stage.SHADOW, Stage.LIVE})
"""Stages at which reads are mirrored."""


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
        if limit is None or step.stage not in COMPARED:
            return verdict
        seq, pairs = self._windows.get(name, (None, None))
        if pairs is None or seq != window.seq:
            pairs = ParityWindow(last=window.base)
        pairs = pairs.read(counters)
        self._windows[name] = window.seq, pairs
        return worse(verdict, judge_parity(pairs.pairs, limit))
