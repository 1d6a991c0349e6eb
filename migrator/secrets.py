"""The secrets of one migration on one machine: made once, kept, never printed."""

import getpass
from collections.abc import Callable, Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from migrator.state import StateDir, read_json, write_atomically

CONTROLLER = "migrator-controller"
"""Member name under which the controller changes flags."""


class Secrets(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sdk_key: str = Field(repr=False)
    mobile_key: str = Field(repr=False)
    client_side_id: str
    session_secret: str = Field(repr=False)
    controller_token: str = Field(repr=False)
    """Bearer token of the controller's API."""
    endpoints_token: str = Field(default="", repr=False)
    """The same for no more than reading the stream of endpoints. Empty: made by a version that had
    none."""
    metrics_token: str = Field(default="", repr=False)
    """The same for no more than pushing metrics; services have it."""
    flags_tokens: dict[str, str] = Field(repr=False)
    """API tokens of the flag server by member name."""
    plan: dict[str, str] = Field(repr=False)
    """Values of the plan's `secrets` by variable name."""

    @classmethod
    def make(cls, member: str, random_hex: Callable[[int], str]) -> Self:
        """New secrets; `random_hex(n)` gives n random bytes as 2n hex digits."""
        return cls(
            sdk_key=f"sdk-{random_hex(16)}",
            mobile_key=f"mob-{random_hex(16)}",
            client_side_id=random_hex(12),
            session_secret=random_hex(32),
            controller_token=random_hex(32),
            flags_tokens={},
            plan={},
        ).completed(member, (), random_hex)

    def completed(
        self, member: str, names: Iterable[str], random_hex: Callable[[int], str]
    ) -> Self:
        """With all tokens, also for `member`, and a value for each of `names`; what is there is
        kept."""
        tokens = {m: f"api-{random_hex(20)}" for m in (CONTROLLER, member)}
        values = {name: random_hex(32) for name in names}
        return self.model_copy(
            update={
                "endpoints_token": self.endpoints_token or random_hex(32),
                "metrics_token": self.metrics_token or random_hex(24),
                "flags_tokens": tokens | self.flags_tokens,
                "plan": values | self.plan,
            }
        )


def member() -> str:
    """The name under which this person's flag changes are audited."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def load_secrets(state: StateDir) -> Secrets:
    """Raises `StateError`."""
    return read_json(state.secrets, Secrets)


def ensure_secrets(
    state: StateDir, names: Iterable[str], random_hex: Callable[[int], str]
) -> Secrets:
    """The stored secrets, completed; made when there are none. Raises `StateError`."""
    known = load_secrets(state) if state.secrets.exists() else None
    secrets = (known or Secrets.make(member(), random_hex)).completed(member(), names, random_hex)
    if secrets != known:
        write_atomically(state.secrets, secrets.model_dump_json(indent=1))
    return secrets
