"""One line for each request."""

from typing import Annotated

from pydantic import Field

from routing.config.base import Model, Token


class AccessLog(Model):
    """Lines of JSON with OpenTelemetry's names."""

    path: Annotated[str, Field(pattern=r"^(?:-|/.*)$", max_length=4096)]
    """An absolute path, or `-` for standard output."""
    sample: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of requests that are logged, chosen at random."""
    errors: bool = True
    """Log also each request beyond the sample that ended with 5xx or a cut connection, or that the
    monolith answered in a service's place."""
    fields: tuple[Token, ...] = ("user-agent",)
    """Fields of the request to log."""
