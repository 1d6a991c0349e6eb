"""Bodies of requests that make projects, environments, tokens and scheduled changes. Pure."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from flags.model import Environment, Key, Project, Tags, Text, new_environment
from flags.roles import Role

ENVIRONMENT_FIELDS: Final = {
    "name": "name",
    "tags": "tags",
    "color": "color",
    "requireComments": "require_comments",
    "confirmChanges": "confirm_changes",
    "secureMode": "secure_mode",
}
"""Members of an environment that a patch may change."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class NewEnvironment(_Body):
    key: Key
    name: Annotated[Text, Field(min_length=1)]
    color: str = "417505"
    tags: Tags = ()
    requireComments: bool = False
    confirmChanges: bool = False
    secureMode: bool = False

    def build(self, project: str) -> Environment:
        made = new_environment(project, self.key, self.name)
        given = {ours: getattr(self, wire) for wire, ours in ENVIRONMENT_FIELDS.items()}
        return made.changed(**given)


class NewProject(_Body):
    key: Key
    name: Annotated[Text, Field(min_length=1)]
    tags: Tags = ()
    environments: Annotated[list[NewEnvironment], Field(max_length=50)] = []

    def build(self) -> tuple[Project, list[Environment]]:
        wanted = self.environments or [
            NewEnvironment(key="test", name="Test"),
            NewEnvironment(key="production", name="Production"),
        ]
        project = Project(key=self.key, name=self.name, tags=self.tags)
        return project, [e.build(self.key) for e in wanted]


class NewToken(_Body):
    name: Annotated[Text, Field(min_length=1)]
    role: Role
    memberId: Annotated[Text, Field(min_length=1)] | None = None
    """Whose it is; an addition of ours. Without it the caller's."""


class NewScheduled(_Body):
    executionDate: Annotated[int, Field(ge=0, lt=1 << 53)]
    """Epoch milliseconds."""
    instructions: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]
    comment: Text = ""
