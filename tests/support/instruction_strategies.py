"""Random instructions for a multivariate flag, valid ones and others: hypothesis strategies."""

import re
from collections.abc import Mapping
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from flag_builders import CLAUSE, FALLTHROUGH, PRODUCTION, Known, a_boolean, a_choice, a_segment
from flags.changes.patch import apply_to_flag
from flags.errors import Rejected
from flags.model import FULL_WEIGHT, Flag

Instruction = Mapping[str, Any]
patient: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For property tests: a loaded machine is no failure."""
ENVIRONMENTS: Final = (PRODUCTION, "staging")
OTHERS: Final = (a_boolean(), a_choice("xyz", key="other"), a_segment("beta"), a_segment("alpha"))
"""What a flag may need or match on."""

# Ids count up, so that these are often of a rule, a clause or a new variation.
_ids = st.integers(1, 12).map("id-{}".format) | st.just("nope")
_variations = st.sampled_from(["v-a", "v-b", "v-c", "v-d"]) | _ids
_kinds = st.sampled_from(["user", "org"])
_keys = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)
_json = st.sampled_from(["a", "b", "z", 0, 1, True, None, 1.5, [1], {"variation": 1}, ["a", None]])
_tags = st.lists(st.sampled_from(["ops", "x", "a b"]), max_size=3)
_clauses = st.lists(
    st.sampled_from(
        [
            CLAUSE,
            {**CLAUSE, "negate": True},
            {**CLAUSE, "contextKind": "org", "op": "startsWith", "values": ["a", {"variation": 2}]},
            {"op": "segmentMatch", "values": ["beta"]},
            {"op": "segmentMatch", "values": ["nope"]},
        ]
    ),
    min_size=0,
    max_size=2,
)


@st.composite
def _weights(draw: st.DrawFn) -> dict[str, int]:
    names = draw(st.lists(_variations, min_size=1, max_size=4, unique=True))
    cuts = sorted(draw(st.integers(0, FULL_WEIGHT)) for _ in names[1:])
    shares = [b - a for a, b in zip([0, *cuts], [*cuts, FULL_WEIGHT], strict=True)]
    return dict(zip(names, shares, strict=True))


def _of(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Instruction]:
    return st.fixed_dictionaries({"kind": st.just(kind), **fields})


def _serving(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Instruction]:
    rollout = _of(kind, rolloutWeights=_weights(), rolloutContextKind=_kinds, **fields)
    return _of(kind, variationId=_variations, **fields) | rollout


_prerequisites = st.sampled_from(["articles-service", "other", "home-page", "nope"])
_needed = st.sampled_from(["yes", "no", "v-x", "v-z"])
_target = st.fixed_dictionaries(
    {"contextKind": _kinds, "variationId": _variations, "values": _keys}
)
_availability = st.sampled_from(["usingMobileKey", "usingEnvironmentId", "nope"])
_by_rule = {"ruleId": _ids}
_by_clause = {"ruleId": _ids, "clauseId": _ids}

any_instruction: Final[st.SearchStrategy[Instruction]] = st.one_of(
    _of("turnFlagOn"),
    _of("turnFlagOff"),
    _of("updateOffVariation", variationId=_variations),
    _serving(FALLTHROUGH),
    _of("updateTrackEvents", trackEvents=st.booleans()),
    _of("updateTrackEventsFallthrough", trackEvents=st.booleans()),
    _of("addTargets", contextKind=_kinds, variationId=_variations, values=_keys),
    _of("removeTargets", contextKind=_kinds, variationId=_variations, values=_keys),
    _of("replaceTargets", targets=st.lists(_target, max_size=2)),
    _of("clearTargets"),
    _serving("addRule", clauses=_clauses),
    _serving("addRule", clauses=_clauses, beforeRuleId=_ids),
    _serving("updateRuleVariationOrRollout", **_by_rule),
    _of("removeRule", **_by_rule),
    _of("reorderRules", ruleIds=st.lists(_ids, max_size=3, unique=True)),
    _of("updateRuleDescription", **_by_rule, description=st.text(max_size=3)),
    _of("updateRuleTrackEvents", **_by_rule, trackEvents=st.booleans()),
    _of("addClauses", **_by_rule, clauses=_clauses),
    _of("removeClauses", **_by_rule, clauseIds=st.lists(_ids, max_size=2)),
    _of("updateClause", **_by_clause, clause=st.just({**CLAUSE, "attribute": "country"})),
    _of("addValuesToClause", **_by_clause, values=st.lists(_json, max_size=3)),
    _of("removeValuesFromClause", **_by_clause, values=st.lists(_json, max_size=3)),
    _of("addPrerequisite", key=_prerequisites, variationId=_needed),
    _of("updatePrerequisite", key=_prerequisites, variationId=_needed),
    _of("removePrerequisite", key=_prerequisites),
    _of("addVariation", value=_json),
    _of("updateVariation", variationId=_variations, value=_json),
    _of("updateVariation", variationId=_variations, name=st.text(max_size=3)),
    _of("removeVariation", variationId=_variations),
    _of("updateDefaultVariation", onVariationValue=_json, offVariationValue=_json),
    _of("updateName", value=st.text(max_size=3)),
    _of("addTags", values=_tags),
    _of("removeTags", values=_tags),
    _of("makeFlagTemporary"),
    _of("makeFlagPermanent"),
    _of("turnOnClientSideAvailability", value=_availability),
    _of("turnOffClientSideAvailability", value=_availability),
    _of("archiveFlag"),
    _of("restoreFlag"),
    _of("nope"),
)
steps: Final = st.lists(st.tuples(st.sampled_from(ENVIRONMENTS), any_instruction), max_size=25)
"""Instructions, each with its environment."""


class History:
    """A flag through one instruction after the other; those that are refused leave it."""

    def __init__(self, flag: Flag) -> None:
        self.known = Known(flag, *OTHERS)
        self.flags = [flag]
        """Each state that differs from the one before."""

    def apply(self, environment: str, instruction: Instruction) -> bool:
        """Whether there is a new state."""
        before = self.flags[-1]
        frozen = before.model_dump_json()
        after, refusal = before, ""
        try:
            after = apply_to_flag(before, [instruction], self.known.world(environment))
        except Rejected as error:
            refusal = str(error)
        assert before.model_dump_json() == frozen, "the old flag is changed"
        assert not refusal or re.fullmatch(r"instructions\[0\].+", refusal)
        self.known.flags[after.key] = after
        if after.model_dump_json() == frozen:
            return False
        self.flags.append(after)
        return True

    def apply_all(self, steps: list[tuple[str, Instruction]]) -> "History":
        for environment, instruction in steps:
            self.apply(environment, instruction)
        return self
