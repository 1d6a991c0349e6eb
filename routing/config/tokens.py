"""Whose JSON Web Tokens (RFC 7519) are believed."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from routing.config.base import Model
from routing.config.sources import CookieSource, HeaderSource
from routing.config.urls import ShownUrl, check_url, is_url

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""RFC 7518, 3.1, and RFC 8037, without `none` and without secrets that both sides know."""


def _safe(place: str) -> str:
    return check_url(place) if is_url(place) else place


class JwtRules(Model):
    """A token that is not valid by these rules counts as absent."""

    token: CookieSource | HeaderSource = HeaderSource(header="authorization")
    """Where it is; in a field, `Bearer` may stand before it (RFC 6750, 2.1)."""
    jwks: Annotated[ShownUrl, Field(min_length=1), AfterValidator(_safe)]
    """Address or file of the issuer's JSON Web Key Set (RFC 7517)."""
    issuer: str
    """Its `iss`."""
    audience: tuple[str, ...] | None
    """One of them is its `aud`. None: a token for anybody will do; must be said."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256", "ES256")
