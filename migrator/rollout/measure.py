"""One reading of the counters: the window goes on, and the analysis says what it thinks. Pure.

Called by the controller at each look, and by the simulation.
"""

from collections.abc import Callable

from migrator.analysis.sample import NOTHING
from migrator.analysis.stats import Counters
from migrator.analysis.verdict import Outcome, Verdict, confirm, judge
from migrator.analysis.watch import Watch
from migrator.plan.model import Analysis, Step
from migrator.rollout.gate import needed
from migrator.rollout.observation import Figures
from migrator.rollout.state import Rollout, Window
from migrator.rollout.transitions import Phase


def measure(
    rollout: Rollout,
    watch: Watch | None,
    counters: Counters,
    limits: Analysis,
    now: float,
    *,
    also: Callable[[Window, Step, Verdict], Verdict],
) -> tuple[Watch | None, Figures]:
    """The window after this reading, and the figures.

    `watch`: None if the window is a new one. `also`: what others make of the verdict.
    """
    window = rollout.window
    if window is None:
        return None, Figures(counters=counters, asked={}, old=NOTHING, verdict=None)
    if watch is None:
        watch = Watch.begin(window.base, since=window.since)
    step = rollout.shown
    watch = watch.read(counters, at=now)
    watch, verdict = confirm(
        watch, judge(watch, limits, history=rollout.history, needed=needed(step) if step else 0)
    )
    if step is not None:
        verdict = also(window, step, verdict)
    figures = Figures(
        counters=counters,
        asked=watch.asked,
        old=watch.old,
        verdict=verdict,
    )
    if rollout.phase is not Phase.HOLDING and verdict.outcome is Outcome.PASSED:
        watch = watch.rolled()
    return watch, figures
