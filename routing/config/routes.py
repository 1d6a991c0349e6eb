"""Which requests belong to which capability."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    FieldSerializationInfo,
    StrictBool,
    field_serializer,
    model_validator,
)

from routing.config.base import FlagKey, Model, Token
from routing.config.changes import FieldChanges, Redirect, Rewrite
from routing.config.parity import ParityRules
from routing.config.secret import hiding_of, shown_field, shown_parameter


def _only_true(value: bool) -> bool:
    if not value:
        raise ValueError("the absence of a name is no condition, expected a value or true")
    return value


Condition = str | Annotated[StrictBool, AfterValidator(_only_true)]
"""This very value; True: any value. A number is neither."""


class RouteRule(Model):
    """Requests of one path template and the service that takes them over."""

    path: str
    methods: tuple[str, ...] | None = None
    """None: every method."""
    service: str
    access: Literal["read", "write"] | None = None
    """None: safe methods (RFC 9110, 9.2.1) are reads, all others writes."""
    mirror_reads: bool = True
    """Whether the other side sees reads at `shadow` and `live`."""
    second_writes: bool = True
    """Whether the other side gets writes. False where the stores are kept in step otherwise."""
    host: str | None = None
    """Exact, or `*.` and a domain for every host below it. Case and port do not matter."""
    headers: dict[Token, Condition] = {}
    """Fields the request must have. Repeated ones are joined with ", " (RFC 9110, 5.3)."""
    query: dict[str, Condition] = {}
    """Query parameters the request must have; of repeated ones the first counts."""
    rewrite: Rewrite | None = None
    request_headers: FieldChanges | None = None
    """Of requests to the service; the monolith's stay as they are."""
    response_headers: FieldChanges | None = None
    """Of the service's answers."""
    redirect: Redirect | None = None
    """Instead of asking the service."""
    parity: ParityRules | None = None
    """What is no difference between answers here, beside what the capability says."""
    probe: Annotated[str, Field(pattern=r"^/", max_length=2048)] | None = None
    """Path of the read that shows what a write here has done, with `{name}` and a final `*` from
    the route's own. None: the answer's Location after a POST that made something, else the path
    itself, if a route for GET has it."""

    @field_serializer("headers", "query")
    def _shown(
        self, asked: dict[str, Condition], info: FieldSerializationInfo
    ) -> dict[str, Condition]:
        hiding = hiding_of(info)
        if hiding is None:
            return asked
        shown = shown_field if info.field_name == "headers" else shown_parameter
        return {
            name: shown(name, value, hiding) if isinstance(value, str) else value
            for name, value in asked.items()
        }

    @property
    def conditional(self) -> bool:
        """Whether it asks for more than path and method."""
        return bool(self.host is not None or self.headers or self.query)

    @property
    def changes_something(self) -> bool:
        return (self.rewrite, self.request_headers, self.response_headers, self.redirect) != (
            (None,) * 4
        )

    @model_validator(mode="after")
    def _nobody_is_asked(self) -> "RouteRule":
        if self.redirect is not None and (self.rewrite or self.request_headers):
            raise ValueError(
                "rewrite and request_headers have no effect where redirect is, expected one of them"
            )
        return self


class Capability(Model):
    flag: FlagKey
    switches: tuple[FlagKey, ...] = ()
    """Prerequisites of `flag` that are off while a service of the capability is. The monolith does
    the writes meanwhile, and the services get them when they are on again."""
    routes: tuple[RouteRule, ...] = ()
    parity: ParityRules = ParityRules()
