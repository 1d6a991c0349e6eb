"""Bodies of "Create a feature flag" and "Create segment" become a flag and a segment. Pure.

Source: LaunchDarkly API documentation, `FeatureFlagBody` and `SegmentBody`.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from flags.errors import Rejected
from flags.model import (
    STAGES_BY_COUNT,
    ContextKind,
    Defaults,
    Flag,
    Json,
    Key,
    Segment,
    Tags,
    Text,
    Variation,
)
from flags.rest.bodies import Body, Name


class _NewVariation(Body):
    value: Json
    name: Text | None = None
    description: Text | None = None


class _Defaults(Body):
    onVariation: int
    offVariation: int


class _MigrationSettings(Body):
    contextKind: ContextKind | None = None
    stageCount: Literal[2, 4, 6]


class _Availability(Body):
    usingMobileKey: bool = False
    usingEnvironmentId: bool = False


class NewFlag(Body):
    key: Key
    name: Name
    description: Text = ""
    variations: Annotated[list[_NewVariation] | None, Field(min_length=1, max_length=100)] = None
    temporary: bool = True
    tags: Tags = ()
    defaults: _Defaults | None = None
    purpose: Literal["migration", ""] | None = None
    migrationSettings: _MigrationSettings | None = None
    clientSideAvailability: _Availability = _Availability()
    includeInSnippet: bool = False
    isFlagOn: bool = False
    """In every environment."""
    initialPrerequisites: Annotated[tuple[Any, ...], Field(max_length=0)] = ()
    """Are added by a patch here."""


class NewSegment(Body):
    key: Key
    name: Name
    description: Text = ""
    tags: Tags = ()
    unbounded: Literal[False] = False
    """Big segments are not kept here."""


def create_segment(new: NewSegment, *, salt: str, now_ms: int) -> Segment:
    """An empty segment."""
    return Segment(
        key=new.key,
        name=new.name,
        description=new.description,
        tags=tuple(dict.fromkeys(new.tags)),
        created=now_ms,
        modified=now_ms,
        salt=salt,
    )


def create_flag(
    new: NewFlag, environments: Iterable[str], *, new_id: Callable[[], str], now_ms: int
) -> Flag:
    """Off, as LaunchDarkly makes them, unless `isFlagOn`. Raises `Rejected` naming the field."""
    values, kind = _values(new)
    on, off = _defaults(new, kind, len(values))
    available, migration = new.clientSideAvailability, new.migrationSettings
    flag = Flag(
        key=new.key,
        name=new.name,
        description=new.description,
        kind=kind,
        variations=tuple(
            Variation(
                id=new_id(), value=v.value, name=v.name or "", description=v.description or ""
            )
            for v in values
        ),
        tags=tuple(dict.fromkeys(new.tags)),
        temporary=new.temporary,
        created=now_ms,
        defaults=Defaults(on_variation=on, off_variation=off),
        using_mobile_key=available.usingMobileKey,
        using_environment_id=available.usingEnvironmentId or new.includeInSnippet,
        migration_context_kind=migration.contextKind if migration else None,
    )
    if new.isFlagOn:
        for environment in environments:
            flag = flag.with_config(environment, flag.config(environment).changed(on=True))
    return flag


def _values(
    new: NewFlag,
) -> tuple[list[_NewVariation], Literal["boolean", "multivariate", "migration"]]:
    if new.purpose == "migration":
        if new.migrationSettings is None:
            raise Rejected("migrationSettings: a migration flag needs its stageCount: 2, 4 or 6")
        if new.variations:
            raise Rejected("variations: a migration flag has its stages, no others")
        stages = STAGES_BY_COUNT[new.migrationSettings.stageCount]
        return [_NewVariation(value=stage) for stage in stages], "migration"
    if new.migrationSettings is not None:
        raise Rejected('migrationSettings: only with purpose "migration"')
    if not new.variations:
        return [_NewVariation(value=True), _NewVariation(value=False)], "boolean"
    both: list[Any] = [v.value for v in new.variations]
    is_boolean = len(both) == 2 and all(isinstance(v, bool) for v in both) and both[0] != both[1]
    return new.variations, "boolean" if is_boolean else "multivariate"


def _defaults(new: NewFlag, kind: str, count: int) -> tuple[int, int]:
    """Indexes of the variation when on and when off."""
    if new.defaults is None:
        return (0, 0) if kind == "migration" else (0, count - 1)
    for name, index in (
        ("onVariation", new.defaults.onVariation),
        ("offVariation", new.defaults.offVariation),
    ):
        if not 0 <= index < count:
            raise Rejected(f"defaults.{name}: {index} is not an index of the {count} variations")
    return new.defaults.onVariation, new.defaults.offVariation
