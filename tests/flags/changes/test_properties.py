"""What holds after any sequence of instructions, valid ones and others."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flag_builders import Known, a_choice
from flags.changes.integrity import check_flag, check_segments_exist
from flags.changes.patch import apply_to_flag
from flags.changes.versions import with_versions
from flags.errors import Rejected
from flags.model import FULL_WEIGHT, Flag
from flags.wire.encoding import compact
from flags.wire.sdk import read_config, sdk_flag
from instruction_strategies import (
    ENVIRONMENTS,
    OTHERS,
    History,
    Instruction,
    any_instruction,
    patient,
    steps,
)

START = a_choice()
Steps = list[tuple[str, Instruction]]


@patient
@given(steps)
def test_any_sequence_keeps_a_valid_flag(steps: Steps) -> None:
    history = History(START).apply_all(steps)
    flag, world = history.flags[-1], history.known.world()
    check_flag(flag, world, ENVIRONMENTS)
    assert Flag.model_validate_json(flag.model_dump_json()) == flag
    values = [json.dumps(v.value, sort_keys=True) for v in flag.variations]
    ids = [v.id for v in flag.variations]
    assert len(set(values)) == len(values)
    assert len(set(ids)) == len(ids)
    assert (flag.key, flag.version, flag.created) == (START.key, START.version, START.created)
    for config in flag.environments.values():
        serves = [config.fallthrough, *(r.serve for r in config.rules)]
        for rollout in (serve.rollout for serve in serves if serve.rollout is not None):
            indexes = [v.variation for v in rollout.variations]
            assert sum(v.weight for v in rollout.variations) == FULL_WEIGHT
            assert indexes == sorted(set(indexes))
        owners = [(t.context_kind, value) for t in config.targets for value in t.values]
        assert len(owners) == len(set(owners)), "a context has two variations"
        assert all(t.values for t in config.targets)
        places = [(t.context_kind, t.variation) for t in config.targets]
        assert len(places) == len(set(places))
        named = [p.key for p in config.prerequisites]
        assert len(named) == len(set(named))
        check_segments_exist((c for r in config.rules for c in r.clauses), world)
        rule_ids = [r.id for r in config.rules]
        assert len(rule_ids) == len(set(rule_ids))


@patient
@given(steps)
def test_what_sdks_read_leads_back(steps: Steps) -> None:
    """But for what only editors read: descriptions, and ids of clauses."""
    flag = History(START).apply_all(steps).flags[-1]
    for environment in ENVIRONMENTS:
        wire = json.loads(compact(sdk_flag(flag, environment)))
        config = flag.config(environment)
        if flag.archived:
            config = config.changed(on=False)
        read = read_config(wire, modified=config.modified)
        again = sdk_flag(flag.with_config(environment, read), environment)
        assert compact(again) == compact(wire)
        plain = config.changed(
            rules=[
                rule.changed(
                    description="",
                    clauses=[
                        clause.changed(id=f"{rule.id}-{at}")
                        for at, clause in enumerate(rule.clauses)
                    ],
                )
                for rule in config.rules
            ]
        )
        assert read.model_dump_json() == plain.model_dump_json()


@patient
@given(st.lists(any_instruction, max_size=6), st.integers(0, 6))
def test_one_bad_instruction_refuses_all(instructions: list[Instruction], at: int) -> None:
    valid: list[Instruction] = []
    for instruction in instructions:
        with contextlib.suppress(Rejected):
            apply_to_flag(START, [*valid, instruction], Known(START, *OTHERS).world())
            valid.append(instruction)
    at = min(at, len(valid))
    world = Known(START, *OTHERS).world()
    frozen = START.model_dump_json()
    with pytest.raises(Rejected, match=rf"^instructions\[{at}\]\.kind: unknown instruction 'nope'"):
        apply_to_flag(START, [*valid[:at], {"kind": "nope"}, *valid[at:]], world)
    assert START.model_dump_json() == frozen


@patient
@given(steps)
def test_versions_move_where_something_differs(steps: Steps) -> None:
    before = History(START)
    for environment, instruction in steps:
        if not before.apply(environment, instruction):
            continue
        old, new = before.flags[-2:]
        moved = with_versions(old, new, ENVIRONMENTS, 99)
        assert moved.version == old.version + 1
        for key in ENVIRONMENTS:
            then, now = old.config(key), moved.config(key)
            differs = _read_by_sdks(old, key) != _read_by_sdks(moved, key)
            assert now.version - then.version in ({1} if differs else {0, 1})
            if now.version == then.version:
                assert now == then
                assert now.modified == then.modified
            else:
                assert now.modified == 99


def _read_by_sdks(flag: Flag, environment: str) -> Any:
    return compact({**sdk_flag(flag, environment), "version": 0})
