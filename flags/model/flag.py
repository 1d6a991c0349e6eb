"""A feature flag: what it is for everybody, and what it says in each environment.

The names are those of LaunchDarkly's REST API; variations are named by index here, by `id` there.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from flags.model.base import ContextKeys, ContextKind, Json, Key, Model, Tags, Text
from flags.model.serve import Clauses, Serve

STAGES_BY_COUNT: Final[Mapping[int, tuple[str, ...]]] = {
    2: ("off", "complete"),
    4: ("off", "shadow", "live", "complete"),
    6: ("off", "dualwrite", "shadow", "live", "rampdown", "complete"),
}
"""The variations of migration flags."""
Index = Annotated[int, Field(ge=0)]


class Variation(Model):
    id: str
    value: Json
    name: Text = ""
    description: Text = ""


class Target(Model):
    context_kind: ContextKind = "user"
    variation: Index
    values: ContextKeys


class Rule(Model):
    id: str
    description: Text = ""
    clauses: Clauses
    serve: Serve
    track_events: bool = False


class Prerequisite(Model):
    key: Key
    variation: Index


class Config(Model):
    """What a flag says in one environment."""

    version: Annotated[int, Field(ge=1)] = 1
    salt: str
    modified: int
    """Epoch milliseconds of the last change."""
    on: bool = False
    off_variation: Index | None = None
    fallthrough: Serve
    targets: Annotated[tuple[Target, ...], Field(max_length=200)] = ()
    rules: Annotated[tuple[Rule, ...], Field(max_length=200)] = ()
    prerequisites: Annotated[tuple[Prerequisite, ...], Field(max_length=50)] = ()
    track_events: bool = False
    track_events_fallthrough: bool = False
    debug_events_until: int | None = None
    """Epoch milliseconds; until then SDKs send an event for each evaluation."""
    check_ratio: Annotated[int, Field(ge=0)] = 1
    """Of a migration flag: one in this many comparisons is made."""
    sampling_ratio: Annotated[int, Field(ge=0)] = 1
    """One in this many events is sent."""
    exclude_from_summaries: bool = False

    @field_validator("targets")
    @classmethod
    def _merged(cls, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        """One for each context kind and variation: of several, SDKs read the first only. None
        without keys.
        """
        values: dict[tuple[str, int], dict[str, None]] = {}
        for target in targets:
            known = values.setdefault((target.context_kind, target.variation), {})
            known.update(dict.fromkeys(target.values))
        return tuple(
            Target(context_kind=kind, variation=variation, values=tuple(keys))
            for (kind, variation), keys in values.items()
            if keys
        )


class Defaults(Model):
    """Indexes of the variations that a new environment begins with."""

    on_variation: Index
    off_variation: Index


class Flag(Model):
    key: Key
    name: Text
    description: Text = ""
    kind: Literal["boolean", "multivariate", "migration"]
    variations: Annotated[tuple[Variation, ...], Field(min_length=1, max_length=100)]
    defaults: Defaults
    tags: Tags = ()
    temporary: bool = True
    archived: bool = False
    using_mobile_key: bool = False
    """Mobile SDKs may read it."""
    using_environment_id: bool = False
    """Browser SDKs may read it."""
    created: int
    """Epoch milliseconds."""
    migration_context_kind: ContextKind | None = None
    version: Annotated[int, Field(ge=1)] = 1
    """Counts changes in any environment, or of what environments share."""
    first_version: Annotated[int, Field(ge=1)] = 1
    """Of an environment without a config: a flag made anew goes on where the deleted one ended."""
    environments: dict[str, Config] = Field(default_factory=dict)

    def config(self, environment: str) -> Config:
        """What the flag says there; off, as it was created, where nobody has touched it yet."""
        found = self.environments.get(environment)
        if found is not None:
            return found
        return Config(
            version=self.first_version,
            salt=sha256(f"{environment}\n{self.key}\n{self.created}".encode()).hexdigest()[:32],
            modified=self.created,
            off_variation=self.defaults.off_variation,
            fallthrough=Serve(variation=self.defaults.on_variation),
        )

    def with_config(self, environment: str, config: Config) -> "Flag":
        return self.model_copy(update={"environments": {**self.environments, environment: config}})

    def variation_index(self, variation_id: str) -> int | None:
        return next((i for i, v in enumerate(self.variations) if v.id == variation_id), None)
