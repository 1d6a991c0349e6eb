"""Evaluates migration flags with the official LaunchDarkly SDK, once per context and flag change.

Called on the event loop for each request; `clear` is called there too whenever a flag changed.
Never opens a connection itself: the SDK's client and its store are given.
"""

import time
from collections.abc import Callable
from typing import Any

from ldclient import Context, LDClient
from ldclient.interfaces import FeatureStore
from ldclient.versioned_data_kind import FEATURES

from routing.context import RequestContext
from routing.decision import Evaluation
from routing.decisions import Propagated, settle
from routing.evaluation_counts import EvaluationCounts, Given, Tally
from routing.flag_events import Detail
from routing.stages import Stage, parse_stage

UNKNOWN = Evaluation(Stage.OFF, "CLIENT_NOT_READY", None)


class Evaluated:
    """An evaluation of one flag in the chain of a context's. Most contexts have few, and ten
    thousand dictionaries would take more memory, and more time to reach, than what is in them."""

    __slots__ = ("evaluation", "flag", "next", "tally")

    def __init__(
        self, flag: str, evaluation: Evaluation, tally: Tally, following: "Evaluated | None"
    ) -> None:
        self.flag = flag
        self.evaluation = evaluation
        self.tally = tally
        self.next = following


class Known:
    """A context that was seen since the last flag change, with its evaluations."""

    __slots__ = ("context", "document", "evaluated", "fresh_until", "header", "propagated")

    propagated: Propagated
    """What goes to origins; of use until `fresh_until` (monotonic)."""

    def __init__(self, context: RequestContext) -> None:
        self.document = context.document
        self.context = Context.from_dict(dict(context.document))
        self.header = context.header
        self.evaluated: Evaluated | None = None
        self.fresh_until = 0.0


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
        self.on_context: Callable[[Context], object] | None = None
        """Is told of each context that was not in the cache."""

    def known(self, identity: bytes, build: Callable[[bytes], RequestContext]) -> Known:
        """The context of `identity`; `build` makes it when it is not in the cache."""
        known = self._young.get(identity)
        if known is not None:
            return known
        known = self._old.get(identity)
        if known is None:
            known = Known(build(identity))
            if self.on_context is not None:
                self.on_context(known.context)
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, {}
        self._young[identity] = known
        return known

    def evaluate(self, flag: str, known: Known) -> Evaluation:
        """The stage of `flag` for that context. Off if flags are unknown or the flag is missing."""
        found = self._find(flag, known)
        found.tally.count += 1
        return found.evaluation

    def peek(self, flag: str, known: Known) -> Evaluation:
        """The same for no request, so that it is not counted."""
        return self._find(flag, known).evaluation

    def settle(self, flag: str, known: Known, told: Evaluation) -> Evaluation:
        """The same beside `told`, which was made elsewhere. What the request gets is counted; but
        an override is no evaluation, and counted nowhere."""
        own = self.peek(flag, known)
        if settle(own, told) is own:
            return self.evaluate(flag, known)
        if told.version is not None:
            given = Given(flag, told.variation, told.version, told.stage.value)
            self.counts.tally(given, known.document).count += 1
        return told

    def detail(self, flag: str, context: Context) -> Detail | None:
        """All there is to say of one evaluation, made anew; None if the flag is not known."""
        found = self._store.get(FEATURES, flag, _itself)
        if found is None or not context.valid:
            return None
        detail = self._client.variation_detail(flag, context, Stage.OFF.value)
        stage = parse_stage(detail.value).value
        given = Given(flag, detail.variation_index, _version(found), stage)
        ratio = found.sampling_ratio
        return Detail(given, detail.reason, 1 if ratio is None else ratio)

    def state(self, flag: str) -> dict[str, int | bool | None]:
        """Version of `flag`, and whether it is on; both None if it is not known."""
        found = self._store.get(FEATURES, flag, _itself)
        if found is None:
            return {"version": None, "on": None}
        return {"version": found.version, "on": found.on}

    def clear(self) -> None:
        """Forget everything: a flag, a segment or the routing rules changed."""
        self._young = {}
        self._old = {}
        self.counts.retire()

    def _find(self, flag: str, known: Known) -> Evaluated:
        found = known.evaluated
        while found is not None:
            if found.flag == flag:
                return found
            found = found.next
        evaluation, tally = self._ask(flag, known)
        known.evaluated = Evaluated(flag, evaluation, tally, known.evaluated)
        return known.evaluated

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
        evaluation = Evaluation(
            stage,
            str(reason),
            version,
            detail.variation_index,
            detail.reason.get("prerequisiteKey"),
        )
        return evaluation, self.counts.tally(given, known.document)


def _itself(flag: Any) -> Any:
    return flag


def _version(flag: object) -> int | None:
    version = None if flag is None else flag["version"]  # type: ignore[index]
    return version if isinstance(version, int) else None
