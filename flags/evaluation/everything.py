"""All flags for one context: what client-side SDKs keep."""

from collections.abc import Callable

from flags.evaluation.context import Context
from flags.evaluation.detail import Detail
from flags.evaluation.evaluator import Evaluation
from flags.model import Flag, Snapshot


def evaluate_all(
    snapshot: Snapshot, context: Context, available: Callable[[Flag], bool]
) -> dict[str, Detail]:
    """Prerequisites are looked at whether or not they are `available` themselves."""
    evaluation = Evaluation(context, snapshot)
    return {key: evaluation.detail(flag) for key, flag in snapshot.flags.items() if available(flag)}
