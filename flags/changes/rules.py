"""Targeting rules: those of flags, and what the rules of flags and segments have in common."""

import json
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue

from flags.changes.base import (
    AnyRule,
    ConfigInstruction,
    NewClause,
    RulesInstruction,
    Serving,
    World,
    replaced,
    require_segments,
    rule_at,
)
from flags.model import Clause, Config, Flag, Rule, Text

NewClauses = Annotated[list[NewClause], Field(min_length=1, max_length=100)]


class _NewRule(Serving):
    model_config = ConfigDict(extra="forbid", frozen=True)

    clauses: NewClauses
    description: Text = ""
    trackEvents: bool = False

    def build(self, flag: Flag, world: World) -> Rule:
        return Rule(
            id=world.new_id(),
            description=self.description,
            clauses=tuple(c.build(world) for c in self.clauses),
            serve=self.serve(flag),
            track_events=self.trackEvents,
        )


class AddRule(_NewRule, ConfigInstruction):
    kind: Literal["addRule"]
    beforeRuleId: str | None = None

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        rules = config.rules
        at = len(rules) if self.beforeRuleId is None else rule_at(rules, self.beforeRuleId)
        return config.changed(rules=(*rules[:at], self.build(flag, world), *rules[at:]))


class ReplaceRules(ConfigInstruction):
    kind: Literal["replaceRules"]
    rules: Annotated[list[_NewRule], Field(max_length=200)]

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        return config.changed(rules=tuple(rule.build(flag, world) for rule in self.rules))


class UpdateRule(Serving, ConfigInstruction):
    kind: Literal["updateRuleVariationOrRollout"]
    ruleId: str

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        at = rule_at(config.rules, self.ruleId)
        rule = config.rules[at].changed(serve=self.serve(flag))
        return config.changed(rules=replaced(config.rules, at, rule))


class UpdateRuleTrackEvents(ConfigInstruction):
    kind: Literal["updateRuleTrackEvents"]
    ruleId: str
    trackEvents: bool

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        at = rule_at(config.rules, self.ruleId)
        rule = config.rules[at].changed(track_events=self.trackEvents)
        return config.changed(rules=replaced(config.rules, at, rule))


class RemoveRule(RulesInstruction):
    kind: Literal["removeRule"]
    ruleId: str

    def apply(self, rules: tuple[AnyRule, ...], world: World) -> tuple[AnyRule, ...]:
        return replaced(rules, rule_at(rules, self.ruleId))


class ReorderRules(RulesInstruction):
    kind: Literal["reorderRules"]
    ruleIds: list[str]

    def apply(self, rules: tuple[AnyRule, ...], world: World) -> tuple[AnyRule, ...]:
        if sorted(self.ruleIds) != sorted(r.id for r in rules):
            raise ValueError("ruleIds must name every rule once")
        return tuple(rules[rule_at(rules, i)] for i in self.ruleIds)


class UpdateRuleDescription(RulesInstruction):
    kind: Literal["updateRuleDescription"]
    ruleId: str
    description: Text

    def apply(self, rules: tuple[AnyRule, ...], world: World) -> tuple[AnyRule, ...]:
        at = rule_at(rules, self.ruleId)
        return replaced(rules, at, rules[at].changed(description=self.description))


class _ClausesInstruction(RulesInstruction):
    """Changes the clauses of one rule."""

    ruleId: str

    def apply(self, rules: tuple[AnyRule, ...], world: World) -> tuple[AnyRule, ...]:
        at = rule_at(rules, self.ruleId)
        return replaced(rules, at, rules[at].changed(clauses=self.of(rules[at].clauses, world)))

    def of(self, clauses: tuple[Clause, ...], world: World) -> tuple[Clause, ...]:
        raise NotImplementedError


class AddClauses(_ClausesInstruction):
    kind: Literal["addClauses"]
    clauses: NewClauses

    def of(self, clauses: tuple[Clause, ...], world: World) -> tuple[Clause, ...]:
        return (*clauses, *(c.build(world) for c in self.clauses))


class RemoveClauses(_ClausesInstruction):
    kind: Literal["removeClauses"]
    clauseIds: list[str]

    def of(self, clauses: tuple[Clause, ...], world: World) -> tuple[Clause, ...]:
        gone = {_clause_at(clauses, clause_id) for clause_id in self.clauseIds}
        return tuple(c for at, c in enumerate(clauses) if at not in gone)


class UpdateClause(_ClausesInstruction):
    kind: Literal["updateClause"]
    clauseId: str
    clause: NewClause

    def of(self, clauses: tuple[Clause, ...], world: World) -> tuple[Clause, ...]:
        at = _clause_at(clauses, self.clauseId)
        return replaced(clauses, at, self.clause.build(world).changed(id=self.clauseId))


class _ClauseValues(_ClausesInstruction):
    clauseId: str
    values: Annotated[list[JsonValue], Field(max_length=10_000)]


class AddValuesToClause(_ClauseValues):
    kind: Literal["addValuesToClause"]

    def of(self, clauses: tuple[Clause, ...], world: World) -> tuple[Clause, ...]:
        at = _clause_at(clauses, self.clauseId)
        if clauses[at].op == "segmentMatch":
            require_segments(self.values, world)
        values: dict[object, JsonValue] = {}
        for value in (*clauses[at].values, *self.values):
            values.setdefault(_distinct(value), value)
        return replaced(clauses, at, clauses[at].changed(values=tuple(values.values())))


class RemoveValuesFromClause(_ClauseValues):
    kind: Literal["removeValuesFromClause"]

    def of(self, clauses: tuple[Clause, ...], world: World) -> tuple[Clause, ...]:
        at = _clause_at(clauses, self.clauseId)
        gone = {_distinct(v) for v in self.values}
        values = tuple(v for v in clauses[at].values if _distinct(v) not in gone)
        return replaced(clauses, at, clauses[at].changed(values=values))


def _distinct(value: JsonValue) -> object:
    """A key that is equal where the values are, as JSON: true is not 1."""
    return (json.dumps(value, sort_keys=True),) if isinstance(value, bool | list | dict) else value


def _clause_at(clauses: tuple[Clause, ...], clause_id: str) -> int:
    for at, clause in enumerate(clauses):
        if clause.id == clause_id:
            return at
    known = ", ".join(c.id for c in clauses)
    raise ValueError(f"there is no clause {clause_id!r}; known: {known}")
