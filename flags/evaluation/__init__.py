"""What a flag gives to a context, exactly as LaunchDarkly's SDKs decide it. Pure.

Used by the endpoints of client-side SDKs, by OFREP and by previews; server-side SDKs evaluate
themselves. The specification is launchdarkly-server-sdk 9.18, which the tests compare with.
"""

from flags.evaluation.context import Context, Individual
from flags.evaluation.detail import Detail, Reason
from flags.evaluation.evaluator import evaluate
from flags.evaluation.everything import evaluate_all
from flags.evaluation.reference import Reference

__all__ = ["Context", "Detail", "Individual", "Reason", "Reference", "evaluate", "evaluate_all"]
