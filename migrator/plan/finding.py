"""What is wrong with a plan, and where. Pure."""

from dataclasses import dataclass

from migrator.plan.document import Path


@dataclass(frozen=True, slots=True)
class Finding:
    path: Path
    message: str
    suggestion: str | None = None
