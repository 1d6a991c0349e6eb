"""Answers of LaunchDarkly's REST API, as far as they are needed. Pure data."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from migrator.errors import InvalidInput
from migrator.plan.model import Stage
from migrator.plan.units import FULL_SHARE

Weights = tuple[tuple[Stage, int], ...]


class Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Variation(Answer):
    id: str = Field(alias="_id")
    value: Any


class Weighted(Answer):
    variation: int
    weight: int


class Rollout(Answer):
    variations: tuple[Weighted, ...]


class Fallthrough(Answer):
    variation: int | None = None
    rollout: Rollout | None = None


class Prerequisite(Answer):
    key: str


class FlagEnvironment(Answer):
    on: bool
    version: int
    lastModified: int = 0
    """Unix milliseconds."""
    fallthrough: Fallthrough = Fallthrough()
    prerequisites: tuple[Prerequisite, ...] = ()


class Flag(Answer):
    """A flag in REST form, with one environment. Its `kind` does not matter: a migration flag and
    a multivariate one with the same values are the same to us."""

    key: str
    archived: bool = False
    tags: tuple[str, ...] = ()
    variations: tuple[Variation, ...]
    environments: Annotated[dict[str, FlagEnvironment], Field(min_length=1)]

    @property
    def environment(self) -> FlagEnvironment:
        """The one environment that was asked for."""
        return next(iter(self.environments.values()))

    @property
    def on(self) -> bool:
        return self.environment.on

    @property
    def version(self) -> int:
        return self.environment.version

    def weights(self) -> Weights | None:
        """The fallthrough's shares by stage, without empty ones; None if it is anything else."""
        fallthrough = self.environment.fallthrough
        if fallthrough.variation is not None:
            pairs = [(fallthrough.variation, FULL_SHARE)]
        elif fallthrough.rollout is not None:
            pairs = sorted(
                (w.variation, w.weight) for w in fallthrough.rollout.variations if w.weight
            )
        else:
            return None
        try:
            return tuple((Stage(self.variations[index].value), weight) for index, weight in pairs)
        except (IndexError, ValueError):
            return None

    def variation_id(self, value: object) -> str:
        """The `_id` of the variation with `value`. Raises InvalidInput if there is none."""
        for variation in self.variations:
            if variation.value == value and type(variation.value) is type(value):
                return variation.id
        raise InvalidInput(
            f"flag {self.key} has no variation {value!r}",
            hint="restore its variations in the flag server, or delete the flag: it is made anew",
        )


class Member(Answer):
    id: str = Field(default="", alias="_id")
    email: str = ""
    firstName: str = ""
    lastName: str = ""


class Token(Answer):
    name: str = ""


class AuditEntry(Answer):
    """One change, newest first in lists. `via`: `api`, `dashboard`, `cli` or empty."""

    id: str = Field(alias="_id")
    date: int
    """Unix milliseconds."""
    member: Member | None = None
    token: Token | None = None
    """What a change through the API was made with; LaunchDarkly's service tokens have no member."""
    via: str = ""
    comment: str = ""
    signed: str = ""
    """Who signed the comment, where one token serves several; see `signature`."""

    @property
    def by(self) -> str:
        """Who did it, by the name that says most."""
        if self.signed:
            return self.signed
        if self.member is not None:
            names = f"{self.member.firstName} {self.member.lastName}".strip()
            if name := names or self.member.email or self.member.id:
                return name
        return (self.token.name if self.token else "") or "someone"


class FlagList(Answer):
    items: tuple[Flag, ...]
    totalCount: int = 0


class AuditLog(Answer):
    items: tuple[AuditEntry, ...]


class CustomEvents(Answer):
    """How often contexts to whom a flag gives `value` caused the event `key`."""

    key: str
    value: Any
    count: Annotated[int, Field(ge=0)]


class CustomEventList(Answer):
    items: tuple[CustomEvents, ...]


class Environment(Answer):
    """An environment; `id` is its client-side id, which SDK answers name in `X-LD-EnvID`."""

    id: str = Field(alias="_id")
    key: str
