"""Events of single requests for the flag server: `migration_op` and `index`.

Pure: clock and chance come in. LaunchDarkly draws its migration insights (latency, error rate and
consistency of the old and the new side) from `migration_op` events; `index` tells it of contexts.
Source of their shape: launchdarkly-server-sdk 9.18, event schema 4.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from routing.config import Events
from routing.evaluation_counts import Given
from routing.rate_bound import RateBound, TokenBucket
from routing.record import Attempt
from routing.stages import Access, Side

FORGET: Final = 300.0
"""Seconds: a context is reported at most once in each such period, as SDKs have it."""
MAX_CONTEXTS: Final = 50_000
"""Contexts that are remembered in one period; beyond them none is reported."""


@dataclass(frozen=True, slots=True)
class Detail:
    """All that is reported of one evaluation."""

    given: Given
    reason: Mapping[str, Any]
    """LaunchDarkly's."""
    sampling_ratio: int
    """The flag's own: one operation of so many is reported; 0: none."""


class Context(Protocol):
    """The SDK's."""

    @property
    def valid(self) -> bool: ...

    @property
    def fully_qualified_key(self) -> str: ...


class Format(Protocol):
    """Gives a context's JSON without what is private."""

    def __call__(self, context: Any, *, redact_anonymous: bool) -> Mapping[str, Any]: ...


class FlagEvents:
    """What waits to be posted. Bounded by the rates: whoever uses it takes everything each few
    seconds. `now` is monotonic seconds, `at` seconds since 1970."""

    def __init__(self, chance: Callable[[], float], now: float) -> None:
        """`chance`: a random number of [0, 1)."""
        self._chance = chance
        self._waiting: list[dict[str, Any]] = []
        self._reported: set[str] = set()
        self._forget_at = now + FORGET

    def apply(self, config: Events, form: Format, now: float) -> None:
        """Report by `config` from now on; to be called before anything else."""
        self._form = form
        self._contexts = TokenBucket(config.contexts, now) if config.contexts else None
        ops = config.migration_ops
        self.bound = RateBound(ops, now, self._chance) if ops else None
        """Of operations; None: none is reported."""

    def see(self, context: Context, at: float, now: float) -> None:
        """Report a context unless that was done lately."""
        if self._contexts is None or not context.valid:
            return
        if now >= self._forget_at:
            self._reported = set()
            self._forget_at = now + FORGET
        key = context.fully_qualified_key
        if key in self._reported or len(self._reported) >= MAX_CONTEXTS:
            return
        if self._contexts.take(now):
            self._reported.add(key)
            self._waiting.append(
                {
                    "kind": "index",
                    "creationDate": int(at * 1000),
                    "context": self._form(context, redact_anonymous=False),
                }
            )

    def begin(
        self,
        detail: Detail | None,
        access: Access,
        context: Context,
        at: float,
        now: float,
    ) -> dict[str, Any] | None:
        """The event of a candidate (see `bound`) without its measurements; None: not chosen."""
        if self.bound is None:
            return None
        ratio = 0 if detail is None else detail.sampling_ratio
        wanted = ratio > 0 and context.valid and self._chance() * ratio < 1.0
        weight = self.bound.weigh(now, wanted=wanted)
        if not weight or detail is None:
            return None
        event = {
            "kind": "migration_op",
            "creationDate": int(at * 1000),
            "operation": access.value,
            "context": self._form(context, redact_anonymous=True),
            "evaluation": _evaluation(detail),
        }
        if weight * ratio > 1:
            event["samplingRatio"] = weight * ratio
        return event

    def end(
        self,
        event: dict[str, Any],
        attempts: Iterable[Attempt],
        *,
        consistent: bool | None = None,
    ) -> None:
        """Complete and keep an event. `consistent`: both sides were asked and compared."""
        measured = _measurements(attempts, consistent)
        if measured:
            self._waiting.append({**event, "measurements": measured})

    def take(self) -> list[dict[str, Any]]:
        """Everything that waits, once."""
        waiting, self._waiting = self._waiting, []
        return waiting


def _evaluation(detail: Detail) -> dict[str, Any]:
    given = detail.given
    evaluation: dict[str, Any] = {"key": given.flag, "value": given.value, "default": "off"}
    if given.version is not None:
        evaluation["version"] = given.version
    if given.variation is not None:
        evaluation["variation"] = given.variation
    evaluation["reason"] = detail.reason
    return evaluation


def _measurements(attempts: Iterable[Attempt], consistent: bool | None) -> list[dict[str, Any]]:
    """A side is measured from its first attempt on, and judged by its last one."""
    sides: dict[Side, list[Attempt]] = {}
    for attempt in attempts:
        sides.setdefault(attempt.side, []).append(attempt)
    if not sides:
        return []
    measurements: list[dict[str, Any]] = [
        {"key": "invoked", "values": {side.value: True for side in sides}}
    ]
    if consistent is not None and len(sides) == len(Side):
        measurements.append({"key": "consistent", "value": consistent})
    latencies = {
        side.value: round((tries[-1].ended - tries[0].began) * 1000.0, 3)
        for side, tries in sides.items()
        if tries[-1].ended is not None
    }
    if latencies:
        measurements.append({"key": "latency_ms", "values": latencies})
    errors = {side.value: True for side, tries in sides.items() if tries[-1].failed}
    if errors:
        measurements.append({"key": "error", "values": errors})
    return measurements
