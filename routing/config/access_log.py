"""One line for each request."""

from typing import Annotated

from pydantic import Field

from routing.config.base import Model, Token


class Redaction(Model):
    """What is hidden beside credentials, cookies' values and parameters that sound like secrets,
    which are never logged."""

    headers: tuple[Token, ...] = ()
    """Fields whose value is hidden."""
    query: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = ()
    """Parameters with one of these words in their name, in either case."""


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
    redact: Redaction = Redaction()
