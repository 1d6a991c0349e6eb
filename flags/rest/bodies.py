"""Bodies of requests that make or change projects, environments, tokens and schedules. Pure.

Types are strict: `1` is no boolean. Members that are not known here are ignored, as LaunchDarkly
ignores them.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from flags.model import Environment, Key, Project, Tags, Text, new_environment
from flags.model.base import portable
from flags.roles import Role

Name = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(portable)]


class Body(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class ProjectFields(Body):
    """What a patch may change of a project."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    tags: Tags


class EnvironmentFields(Body):
    """What a patch may change of an environment."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    tags: Tags = ()
    color: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{6}$")] = "417505"
    requireComments: bool = False
    confirmChanges: bool = False
    secureMode: bool = False

    @classmethod
    def of(cls, environment: Environment) -> dict[str, Any]:
        """The same of an environment that is there."""
        return {
            "name": environment.name,
            "tags": list(environment.tags),
            "color": environment.color,
            "requireComments": environment.require_comments,
            "confirmChanges": environment.confirm_changes,
            "secureMode": environment.secure_mode,
        }

    def fields(self) -> dict[str, Any]:
        """By the model's names."""
        return {
            "name": self.name,
            "tags": self.tags,
            "color": self.color,
            "require_comments": self.requireComments,
            "confirm_changes": self.confirmChanges,
            "secure_mode": self.secureMode,
        }


class NewEnvironment(EnvironmentFields):
    model_config = ConfigDict(extra="ignore")

    key: Key

    def build(self, project: str) -> Environment:
        return new_environment(project, self.key, self.name).changed(**self.fields())


class NewProject(Body):
    key: Key
    name: Name
    tags: Tags = ()
    environments: Annotated[list[NewEnvironment], Field(max_length=50)] = []

    def build(self) -> tuple[Project, list[Environment]]:
        wanted = self.environments or [
            NewEnvironment(key="test", name="Test"),
            NewEnvironment(key="production", name="Production"),
        ]
        project = Project(key=self.key, name=self.name, tags=self.tags)
        return project, [e.build(self.key) for e in wanted]


class TokenFields(Body):
    """What a patch may change of a token."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    role: Role


class NewToken(TokenFields):
    model_config = ConfigDict(extra="ignore")

    memberId: Name | None = None
    """Whose it is; an addition of ours. Without it the caller's."""


class NewScheduled(Body):
    executionDate: Annotated[int, Field(ge=0, lt=1 << 53)]
    """Epoch milliseconds."""
    instructions: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]
    comment: Text = ""
