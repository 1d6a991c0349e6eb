"""Whether a rollout may leave its step: all of its gates, in a fixed order.

Pure. Called by the engine to decide and by the status to explain.
"""

from migrator.analysis.proportion import MIN_JUDGED
from migrator.analysis.stats import Key
from migrator.analysis.verdict import Outcome
from migrator.plan.model import Stage, Step
from migrator.rollout.desired import NEW_IS_ASKED, desired_flag
from migrator.rollout.observation import Closed, Observation
from migrator.rollout.state import Rollout


def closed_gate(rollout: Rollout, step: Step, seen: Observation, now: float) -> Closed | None:
    """The first closed gate of the rollout's current step; None: it may go on."""
    wanted = desired_flag(rollout)
    if seen.flag is None:
        return Closed(topic="flag", why="the flag server does not answer")
    if wanted is None or not wanted.matches(on=seen.flag.on, weights=seen.flag.weights):
        return Closed(topic="flag", why="the flag does not show this step yet")
    if seen.services_off is None:
        return Closed(topic="service", why="a needed service is not known to be on")
    if seen.services_off:
        return Closed(topic="service", why=seen.services_off[min(seen.services_off)].why)
    if rollout.hold_since is None or now - rollout.hold_since < step.hold:
        return Closed(topic="hold", why="the hold time runs")
    if seen.ahead:
        return seen.ahead[0]
    if seen.figures is None or seen.figures.verdict is None:
        return Closed(topic="figures", why="the proxy's figures are not available")
    served = seen.figures.asked.get(authoritative(step.stage), 0)
    if served < step.min_requests:
        return Closed(
            topic="data",
            why=f"not enough data: {served} of {step.min_requests} requests at {step.stage}",
        )
    if seen.figures.verdict.outcome is not Outcome.PASSED:
        return Closed(topic="data", why=f"not enough data: {seen.figures.verdict.evidence}")
    return _asked_of_others(rollout, step, seen)


def _asked_of_others(rollout: Rollout, step: Step, seen: Observation) -> Closed | None:
    """What the step wants besides its figures; people last."""
    if step.before_leaving and rollout.command is None:
        return Closed(topic="command", why="before_leaving has not ended yet")
    if step.before_leaving and rollout.command:
        again = f"`migrator pause {rollout.capability}`, then `resume` runs it again"
        return Closed(topic="command failed", why=f"before_leaving {rollout.command}; {again}")
    if step.webhook and seen.webhook is None:
        return Closed(topic="webhook", why="the webhook has not answered yet")
    if step.webhook and seen.webhook:
        return Closed(topic="webhook", why=f"the webhook keeps it here: {seen.webhook}")
    if step.approval:
        return Closed(
            topic="approval", why=f"waits for approval: migrator promote {rollout.capability}"
        )
    return None


def authoritative(stage: Stage) -> Key:
    """The cell of the origin whose answer clients get at `stage`."""
    return Key(stage, "new" if stage in NEW_IS_ASKED else "old")


def needed(step: Step) -> int:
    """Least requests at the new origin for the analysis of `step` to pass.

    A step without `min_requests` still needs `MIN_JUDGED`, so that a night without traffic holds
    the rollout; a plan may ask for fewer. Before `live` nobody gets the new origin's answer: none.
    """
    if step.stage not in NEW_IS_ASKED:
        return 0
    return step.min_requests or MIN_JUDGED
