"""What LaunchDarkly's SDK for Python answers: the specification of flags.evaluation.

It is fed with the JSON that the flag server sends, and asked as its client does: without events,
and with an unexpected error turned into the reason `EXCEPTION`.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any, Self

from ldclient.context import Context
from ldclient.impl.evaluator import Evaluator
from ldclient.impl.events.types import EventFactory
from ldclient.impl.model import FeatureFlag, Segment

from flags.evaluation import Detail
from flags.model import Snapshot
from flags.wire.sdk import sdk_flag, sdk_segment

logging.getLogger("ldclient.flag").setLevel(logging.ERROR)  # it warns of each missing flag


@dataclass(frozen=True, slots=True)
class Answer:
    """A `Detail` as JSON, so that `1`, `1.0` and `true` differ."""

    value: str
    variation_index: int | None
    reason: str
    prerequisites: tuple[str, ...]

    @classmethod
    def of(cls, detail: Detail) -> Self:
        return cls(
            value=_canonical(detail.value),
            variation_index=detail.variation_index,
            reason=_canonical(detail.reason),
            prerequisites=detail.prerequisites,
        )


class OfficialSdk:
    def __init__(self, snapshot: Snapshot) -> None:
        sent = wire_data(snapshot)
        self._flags = {key: FeatureFlag(flag) for key, flag in sent["flags"].items()}
        segments = {key: Segment(segment) for key, segment in sent["segments"].items()}
        self._evaluator = Evaluator(
            get_flag=self._flags.get,
            get_segment=segments.get,
            get_big_segments_membership=lambda _key: (None, "HEALTHY"),
        )
        self._events = EventFactory(False)

    def evaluate(self, key: str, context: Context) -> Answer:
        assert context.valid, context.error
        try:
            result = self._evaluator.evaluate(self._flags[key], context, self._events)
        except Exception:
            reason = {"kind": "ERROR", "errorKind": "EXCEPTION"}
            return Answer(_canonical(None), None, _canonical(reason), ())
        detail = result.detail
        assert detail is not None
        return Answer(
            value=_canonical(detail.value),
            variation_index=detail.variation_index,
            reason=_canonical(detail.reason),
            prerequisites=tuple(result.prerequisites),
        )


def wire_data(snapshot: Snapshot) -> dict[str, Any]:
    """What an SDK's data store holds after it was received."""
    sent = {
        "flags": {key: sdk_flag(f, snapshot.environment) for key, f in snapshot.flags.items()},
        "segments": {key: sdk_segment(s) for key, s in snapshot.segments.items()},
    }
    received: dict[str, Any] = json.loads(json.dumps(sent, allow_nan=False))
    return received


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True)
