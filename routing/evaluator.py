"""Evaluates migration flags with the official LaunchDarkly SDK, once per context and flag change.

Called on the event loop for each request; `clear` is called there too whenever a flag changed.
Never opens a connection itself: the SDK's client and its store are given.
"""

import time
from collections.abc import Callable

from ldclient import Context, LDClient
from ldclient.interfaces import FeatureStore
from ldclient.versioned_data_kind import FEATURES

from routing.context import RequestContext
from routing.decision import Evaluation
from routing.evaluation_counts import EvaluationCounts, Given, Tally
from routing.stages import Stage, parse_stage

UNKNOWN = Evaluation(Stage.OFF, "CLIENT_NOT_READY", None)


class Known:
    """A context that was seen since the last flag change, with its evaluations by flag key."""

    __slots__ = ("context", "document", "evaluations", "header")

    def __init__(self, context: RequestContext) -> None:
        self.document = context.document
        self.context = Context.from_dict(dict(context.document))
        self.header = context.header
        self.evaluations: dict[str, tuple[Evaluation, Tally]] = {}


class Evaluator:
    """Evaluations behind a bounded cache.

    The cache has two generations: when the young one is full it becomes the old one, so at most
    `2 * capacity` contexts are kept, the lately used ones surely, and nothing is ever searched.
    """

    def __init__(self, client: LDClient, store: FeatureStore, *, capacity: int = 10_000) -> None:
        self._client = client
        self._store = store
        self._capacity = capacity
        self._young: dict[bytes, Known] = {}
        self._old: dict[bytes, Known] = {}
        self.counts = EvaluationCounts(time.time())
        """Of requests, not of evaluations."""

    def known(self, identity: bytes, build: Callable[[bytes], RequestContext]) -> Known:
        """The context of `identity`; `build` makes it when it is not in the cache."""
        known = self._young.get(identity)
        if known is not None:
            return known
        known = self._old.get(identity) or Known(build(identity))
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, {}
        self._young[identity] = known
        return known

    def evaluate(self, flag: str, known: Known) -> Evaluation:
        """The stage of `flag` for that context. Off if flags are unknown or the flag is missing."""
        found = known.evaluations.get(flag)
        if found is None:
            found = known.evaluations[flag] = self._ask(flag, known)
        evaluation, tally = found
        tally.count += 1
        return evaluation

    def peek(self, flag: str, known: Known) -> Evaluation:
        """The same for no request, so that it is not counted."""
        found = known.evaluations.get(flag)
        if found is None:
            found = known.evaluations[flag] = self._ask(flag, known)
        return found[0]

    def clear(self) -> None:
        """Forget everything: a flag, a segment or the routing rules changed."""
        self._young = {}
        self._old = {}
        self.counts.retire()

    def _ask(self, flag: str, known: Known) -> tuple[Evaluation, Tally]:
        if not self._store.initialized or not known.context.valid:
            nothing = Given(flag, None, None, Stage.OFF.value)
            return UNKNOWN, self.counts.tally(nothing, known.document)
        detail = self._client.variation_detail(flag, known.context, Stage.OFF.value)
        version = self._store.get(FEATURES, flag, _version)
        reason = detail.reason.get("kind", "ERROR")
        if reason == "ERROR":
            reason = detail.reason.get("errorKind", reason)
        stage = parse_stage(detail.value)
        given = Given(flag, detail.variation_index, version, stage.value)
        return Evaluation(stage, str(reason), version), self.counts.tally(given, known.document)


def _version(flag: object) -> int | None:
    version = None if flag is None else flag["version"]  # type: ignore[index]
    return version if isinstance(version, int) else None
