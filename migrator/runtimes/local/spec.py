"""What the supervisor is asked to run. Pure data."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One program. Its output goes to a log file of its name."""

    name: str
    command: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(repr=False)
    """The whole environment; it may hold secrets."""
    port: int
    ready: str
    """URL that answers 2xx once the program can take requests."""
    level: int
    """Programs of a lower level are ready before this one starts, and stop after it."""
    ready_timeout: float = 30.0
    stop_timeout: float = 10.0
    workers_linger: bool = False
    """When the program dies, the rest of its process group serves on while it starts anew."""
    service: str | None = None
    """Of the plan, that this program is an endpoint of."""
    keep_probing: bool = False
    """Whether it may be out of use for a while after the start: others take its requests then."""
    place: str = ""
    """Where the plan asks for it, for messages: `spec.services.articles`."""

    @property
    def digest(self) -> str:
        """Same for the same program in the same environment; tells whether to adopt a process."""
        what = [list(self.command), str(self.cwd), sorted(self.env.items()), self.port]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()
