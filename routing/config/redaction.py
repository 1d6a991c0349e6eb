"""What logs and traces do not say."""

from typing import Annotated

from pydantic import Field

from routing.config.base import Model, Token


class Redaction(Model):
    """What the access log, spans and dumps of this document hide beside credentials, the values of
    cookies and parameters that are secret by their name: those are always hidden."""

    headers: tuple[Token, ...] = ()
    """Fields whose value is hidden."""
    query: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = ()
    """Parameters with one of these words in their name, in either case."""
