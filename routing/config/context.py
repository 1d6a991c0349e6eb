"""How a request's LaunchDarkly evaluation context is built."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator

from routing.config.base import Model, Name, Token


def _not_reserved(*names: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value in names:
            raise ValueError("expected a name that LaunchDarkly does not reserve")
        return value

    return check


class CookieSource(Model):
    cookie: Token


class HeaderSource(Model):
    header: Token


Source = CookieSource | HeaderSource


class ContextRules(Model):
    """How a request's LaunchDarkly evaluation context is built; the first key present wins."""

    kind: Annotated[Name, AfterValidator(_not_reserved("kind", "multi"))] = "user"
    key: tuple[Source, ...] = ()
    attributes: dict[
        Annotated[Name, AfterValidator(_not_reserved("kind", "key", "anonymous", "_meta"))], Source
    ] = {}
