"""A change that is to be made later."""

from typing import Annotated, Any

from pydantic import Field

from flags.model.base import Model, Text


class Scheduled(Model):
    id: str
    project: str
    environment: str
    flag: str
    due: int
    """Epoch milliseconds."""
    instructions: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=100)]
    comment: Text = ""
    member: str
    created: int
    version: int = 1
    problem: str | None = None
    """Why it could not be applied when it was due; it is not tried again."""
