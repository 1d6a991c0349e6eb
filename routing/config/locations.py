"""Where the proxy learns which endpoints services have now, beside this document."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from routing.config.base import Model
from routing.config.urls import SafeUrl

Located = Mapping[str, Sequence[str]]
"""Endpoints as they are now, by the service's name."""


class EndpointStream(Model):
    """A stream of server-sent events from whoever runs the services."""

    url: Annotated[SafeUrl, Field(max_length=512)]
    token_file: Path
    """Holds the bearer token (RFC 6750); read at each connection."""
