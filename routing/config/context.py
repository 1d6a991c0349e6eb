"""How a request's LaunchDarkly evaluation context is built."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, model_validator

from routing.config.base import Model, Name
from routing.config.sources import ClaimSource, Source
from routing.config.tokens import JwtRules


def _not_reserved(*names: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value in names:
            raise ValueError("expected a name that LaunchDarkly does not reserve")
        return value

    return check


class ContextRules(Model):
    """How a request's LaunchDarkly evaluation context is built; the first key present wins."""

    kind: Annotated[Name, AfterValidator(_not_reserved("kind", "multi"))] = "user"
    key: tuple[Source, ...] = ()
    attributes: dict[
        Annotated[Name, AfterValidator(_not_reserved("kind", "key", "anonymous", "_meta"))], Source
    ] = {}
    jwt: JwtRules | None = None

    @model_validator(mode="after")
    def _claims_have_a_token(self) -> "ContextRules":
        for source in (*self.key, *self.attributes.values()):
            if isinstance(source, ClaimSource) and self.jwt is None:
                raise ValueError(f"the claim {source.claim!r} needs `jwt`, which is not there")
        return self
