"""The decision: off, prerequisites, targets, rules, fallthrough, in this order."""

from typing import Any, Final

from flags.evaluation import reference
from flags.evaluation.bucket import in_segment_share, share
from flags.evaluation.context import Context
from flags.evaluation.detail import Detail, Reason
from flags.evaluation.malformed import Malformed
from flags.evaluation.operators import matches_any
from flags.model import Clause, Config, Flag, Segment, SegmentRule, Serve, Snapshot, Target

Path = tuple[str, ...]
"""Keys of the flags, or segments, that are being looked at: one that comes again is a cycle."""
Choice = tuple[int | None, Reason]

_EXCEPTIONS: Final = (ArithmeticError, RecursionError, TypeError, ValueError)
"""Where SDKs answer `EXCEPTION`: numbers beyond floats, chains of hundreds of prerequisites,
segment keys that are lists."""


def evaluate(flag: Flag, context: Context, world: Snapshot) -> Detail:
    """Never raises: whatever is wrong with the flag is the reason."""
    return Evaluation(context, world).detail(flag)


class Evaluation:
    """Evaluates flags of one world for one context.

    What prerequisites and segments gave is remembered, so that many paths to one of them cost no
    more than one path. A cycle is not missed by that: it is found the first time, and then nothing
    of it is remembered.
    """

    __slots__ = ("_context", "_given", "_members", "_world")

    def __init__(self, context: Context, world: Snapshot) -> None:
        self._context = context
        self._world = world
        self._given: dict[str, int | None] = {}
        self._members: dict[str, bool] = {}

    def detail(self, flag: Flag) -> Detail:
        tried: list[str] = []
        try:
            config = flag.config(self._world.environment)
            index, reason = self._choose(flag, config, (flag.key,), tried)
        except Malformed:
            index, reason = None, _malformed()
        except _EXCEPTIONS:
            return Detail(
                value=None,
                variation_index=None,
                reason={"kind": "ERROR", "errorKind": "EXCEPTION"},
            )
        return Detail(
            value=None if index is None else flag.variations[index].value,
            variation_index=index,
            reason=reason,
            prerequisites=tuple(tried),
        )

    def _choose(self, flag: Flag, config: Config, path: Path, tried: list[str]) -> Choice:
        """Adds the prerequisites that were looked at to `tried`, also if it raises."""
        if not _is_on(flag, config):
            return _off(flag, config, {"kind": "OFF"})
        failed = self._failed_prerequisite(config, path, tried)
        if failed is not None:
            return _off(flag, config, {"kind": "PREREQUISITE_FAILED", "prerequisiteKey": failed})
        target = self._target(config.targets)
        if target is not None:
            return _variation(flag, target, {"kind": "TARGET_MATCH"})
        for index, rule in enumerate(config.rules):
            if all(self._matches(clause, ()) for clause in rule.clauses):
                reason: Reason = {"kind": "RULE_MATCH", "ruleIndex": index, "ruleId": rule.id}
                return self._serve(flag, config, rule.serve, reason)
        return self._serve(flag, config, config.fallthrough, {"kind": "FALLTHROUGH"})

    def _failed_prerequisite(self, config: Config, path: Path, tried: list[str]) -> str | None:
        for prerequisite in config.prerequisites:
            key = prerequisite.key
            if key in path:
                raise Malformed(f"prerequisites are a cycle: {' → '.join([*path, key])}")
            tried.append(key)
            if self._given_by(key, path) != prerequisite.variation:
                return key
        return None

    def _given_by(self, key: str, path: Path) -> int | None:
        """The variation of a prerequisite; None if it is off or does not exist."""
        if key not in self._given:
            given = None
            flag = self._world.flags.get(key)
            if flag is not None:
                config = flag.config(self._world.environment)
                if _is_on(flag, config):
                    given, _ = self._choose(flag, config, (*path, key), [])
            self._given[key] = given
        return self._given[key]

    def _target(self, targets: tuple[Target, ...]) -> int | None:
        for target in targets:
            if self._context.key(target.context_kind) in target.values:
                return target.variation
        return None

    def _matches(self, clause: Clause, path: Path) -> bool:
        """A clause about something that the context has not is false, also if it is negated."""
        if clause.op == "segmentMatch":
            return clause.negate != any(self._is_member(key, path) for key in clause.values)
        wanted = reference.parse(clause.attribute)
        values: Any
        if wanted.is_kind:
            values = self._context.kinds
        else:
            individual = self._context.get(clause.context_kind)
            found = None if individual is None else individual.value(wanted)
            if found is None:
                return False
            values = found if isinstance(found, list) else (found,)
        return clause.negate != any(matches_any(clause.op, v, clause.values) for v in values)

    def _is_member(self, key: Any, path: Path) -> bool:
        """`key` is JSON from a clause; one that is no text is no segment's."""
        if key not in self._members:
            segment = self._world.segments.get(key)
            self._members[key] = segment is not None and self._includes(segment, path)
        return self._members[key]

    def _includes(self, segment: Segment, path: Path) -> bool:
        if segment.key in path:
            raise Malformed(f"segments are a cycle: {' → '.join([*path, segment.key])}")
        for targets, included in ((segment.included, True), (segment.excluded, False)):
            if any(self._context.key(t.context_kind) in t.values for t in targets):
                return included
        inner = (*path, segment.key)
        return any(self._passes(segment, rule, inner) for rule in segment.rules)

    def _passes(self, segment: Segment, rule: SegmentRule, path: Path) -> bool:
        if not all(self._matches(clause, path) for clause in rule.clauses):
            return False
        return rule.weight is None or in_segment_share(
            self._context,
            rule.rollout_context_kind,
            rule.bucket_by,
            segment.key,
            segment.salt,
            rule.weight,
        )

    def _serve(self, flag: Flag, config: Config, serve: Serve, reason: Reason) -> Choice:
        if serve.rollout is None:
            return _variation(flag, serve.variation, reason)
        variation, in_experiment = share(serve.rollout, self._context, flag.key, config.salt)
        if in_experiment:
            reason = {**reason, "inExperiment": True}
        return _variation(flag, variation, reason)


def _is_on(flag: Flag, config: Config) -> bool:
    return config.on and not flag.archived


def _off(flag: Flag, config: Config, reason: Reason) -> Choice:
    """Without an off variation there is no value, and that is no error."""
    if config.off_variation is None:
        return None, reason
    return _variation(flag, config.off_variation, reason)


def _variation(flag: Flag, index: int | None, reason: Reason) -> Choice:
    if index is None or index >= len(flag.variations):
        return None, _malformed()
    return index, reason


def _malformed() -> Reason:
    return {"kind": "ERROR", "errorKind": "MALFORMED_FLAG"}
