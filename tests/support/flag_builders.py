"""Projects, environments, flags and segments for tests, with only what a test is about."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flags.changes.base import World
from flags.changes.patch import apply_to_flag, apply_to_segment
from flags.model import (
    STAGES_BY_COUNT,
    Actor,
    Config,
    Environment,
    Flag,
    Project,
    Segment,
    Serve,
    Variation,
)

PRODUCTION: Final = "production"
STAGES: Final = STAGES_BY_COUNT[6]
ALICE: Final = Actor(member="alice", via="api")
BOB: Final = Actor(member="bob", via="cli")
CMS: Final = Project(key="cms", name="CMS")
ORIGIN: Final = {"project": "cms", "environment": PRODUCTION}
ON: Final[Mapping[str, Any]] = {"kind": "turnFlagOn"}
OFF: Final[Mapping[str, Any]] = {"kind": "turnFlagOff"}
FALLTHROUGH: Final = "updateFallthroughVariationOrRollout"
CLAUSE: Final[Mapping[str, Any]] = {"attribute": "plan", "op": "in", "values": ["internal"]}


def an_environment(key: str = PRODUCTION, **fields: Any) -> Environment:
    number = sum(key.encode())
    return Environment.model_validate(
        {
            "project": "cms",
            "key": key,
            "name": key.title(),
            "sdk_key": f"sdk-{key}-0123456789",
            "mobile_key": f"mob-{key}-0123456789",
            "client_side_id": f"{number:024x}",
            **fields,
        }
    )


def a_boolean(key: str = "articles-service", **fields: Any) -> Flag:
    """Variations have the ids `yes` and `no`; nobody has touched it in any environment."""
    variations = (Variation(id="yes", value=True), Variation(id="no", value=False))
    return _flag(key, "boolean", variations, {"on_variation": 0, "off_variation": 1}, fields)


def a_staged(key: str = "publishing", **fields: Any) -> Flag:
    """A migration flag; the id of a variation is `v-` and its stage."""
    variations = tuple(Variation(id=f"v-{stage}", value=stage) for stage in STAGES)
    return _flag(key, "migration", variations, {"on_variation": 0, "off_variation": 0}, fields)


def a_choice(values: Sequence[Any] = "abcd", key: str = "home-page", **fields: Any) -> Flag:
    """A multivariate flag; the id of a variation is `v-` and its value; off is the first."""
    variations = tuple(Variation(id=f"v-{value}", value=value) for value in values)
    return _flag(key, "multivariate", variations, {"on_variation": 0, "off_variation": 0}, fields)


def _flag(
    key: str,
    kind: str,
    variations: tuple[Variation, ...],
    defaults: dict[str, int],
    fields: Mapping[str, Any],
) -> Flag:
    return Flag.model_validate(
        {
            "key": key,
            "name": key.title(),
            "kind": kind,
            "variations": variations,
            "defaults": defaults,
            "created": 1,
            **fields,
        }
    )


def a_config(**fields: Any) -> Config:
    return Config.model_validate(
        {"salt": "a1b2c3", "modified": 1, "fallthrough": Serve(variation=0), **fields}
    )


def within(flag: Flag, environment: str = PRODUCTION, **fields: Any) -> Flag:
    """`flag` with a config of these fields."""
    return flag.with_config(environment, flag.config(environment).changed(**fields))


def a_segment(key: str = "beta", **fields: Any) -> Segment:
    return Segment.model_validate(
        {"key": key, "name": key.title(), "created": 1, "modified": 1, "salt": "a1b2c3", **fields}
    )


def segment_rule(*segments: str, id: str = "rule") -> dict[str, Any]:
    """A rule of a segment that matches members of others."""
    clause = {"id": f"{id}-0", "attribute": "", "op": "segmentMatch", "values": segments}
    return {"id": id, "clauses": [clause]}


class Known:
    """Flags and segments that instructions may ask about; new ids count up."""

    def __init__(self, *items: Flag | Segment) -> None:
        self.flags = {i.key: i for i in items if isinstance(i, Flag)}
        self.segments = {i.key: i for i in items if isinstance(i, Segment)}
        self._numbers = itertools.count(1)

    def world(self, environment: str | None = PRODUCTION) -> World:
        return World(
            environment=environment,
            flag=self.flags.get,
            segment=self.segments.get,
            needed_by=self._needed_by,
            new_id=lambda: f"id-{next(self._numbers)}",
        )

    def _needed_by(self, key: str) -> list[tuple[str, str, int]]:
        return [
            (flag.key, environment, p.variation)
            for flag in self.flags.values()
            for environment, config in flag.environments.items()
            for p in config.prerequisites
            if p.key == key
        ]


def patched(
    flag: Flag,
    *instructions: Mapping[str, Any],
    others: Sequence[Flag | Segment] = (),
    environment: str | None = PRODUCTION,
) -> Flag:
    """`flag` after `instructions` in a world of it and `others`."""
    return apply_to_flag(flag, instructions, Known(flag, *others).world(environment))


def patched_segment(
    segment: Segment, *instructions: Mapping[str, Any], others: Sequence[Segment] = ()
) -> Segment:
    return apply_to_segment(segment, instructions, Known(segment, *others).world())


Wait = Callable[[Callable[[], bool], str], None]
"""A condition, and what it is for a failure's message."""
