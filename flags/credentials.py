"""What a server starts with: an environment's keys, and API tokens of administrators.

Read once from a JSON file with mode 0600; the database keeps only hashes of the tokens.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flags.errors import FlagsError
from flags.model import Environment, Project

Secret = Annotated[str, Field(min_length=16, max_length=256)]


class Credentials(BaseModel):
    """One project with one environment, and the members who may change its flags."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    project: str
    environment: str
    sdk_key: Secret
    mobile_key: Secret
    client_side_id: Annotated[str, Field(pattern=r"^[0-9a-f]{24}([0-9a-f]{8})?$")]
    session_secret: Secret
    tokens: Annotated[dict[str, Secret], Field(min_length=1, repr=False)]
    """API tokens by member name."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read `path`. Raises `FlagsError` that names the file and the field, never a value."""
        hint = "write it anew; `migrator up` does so when the file is missing"
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise FlagsError(
                f"{path}: cannot read credentials: {error.strerror}", hint=hint
            ) from None
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in error.errors()
            )
            raise FlagsError(f"{path}: invalid credentials: {problems}", hint=hint) from None

    def first_environment(self) -> tuple[Project, Environment]:
        """What the server begins with; more are made through the REST API."""
        return Project(key=self.project, name=self.project), Environment(
            project=self.project,
            key=self.environment,
            name=self.environment,
            sdk_key=self.sdk_key,
            mobile_key=self.mobile_key,
            client_side_id=self.client_side_id,
        )
