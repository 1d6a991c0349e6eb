"""The proxy's own models in a plan: the same keys, checks and defaults, but durations have units.

Pure. `routing.config` says what there is to say; a plan says it as people do. So a key that the
proxy learns needs one line in the plan's model, and means the same in both.
"""

import types
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from migrator.plan.units import Duration, format_duration, parse_duration
from routing.config.base import IN_SECONDS

M = TypeVar("M", bound=BaseModel)
_LIMITS: Final = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


@cache
def in_plan(model: type[M]) -> type[M]:
    """`model` with a duration for each number of seconds in it: a subclass, or itself if there is
    none. Its instances stand for those of `model`, which is how the proxy's document gets them."""
    fields = {
        name: (written, _field(field))
        for name, field in model.model_fields.items()
        if (written := _written(_annotation(field))) != _annotation(field)
    }
    if not fields:
        return model
    return create_model(  # type: ignore[no-any-return, call-overload] # mypy sees no dictionary here
        model.__name__, __base__=model, __doc__=model.__doc__, __module__=model.__module__, **fields
    )


class _InPlan:
    def __get_pydantic_core_schema__(
        self, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler.generate_schema(in_plan(source))


Borrowed = Annotated[M, _InPlan()]
"""A field's type. Its default, if that is a model, is made by `in_plan(...)()`."""


def _annotation(field: FieldInfo) -> Any:
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _field(field: FieldInfo) -> Any:
    default = field.default
    if isinstance(default, BaseModel):
        default = in_plan(type(default))(**dict(default))
    if field.default_factory is not None:
        return Field(default_factory=field.default_factory, description=field.description)
    return Field(default=default, description=field.description)


def _read(value: object, check: ValidatorFunctionWrapHandler) -> Any:
    """Seconds in the model's own limits, which are told with units, too."""
    try:
        return check(parse_duration(value))
    except ValidationError as error:
        for name, limit in error.errors()[0].get("ctx", {}).items():
            told = f"expected a duration of {_LIMITS[name]} {format_duration(float(limit))}"
            raise ValueError(told) from None
        raise


def _written(annotation: Any) -> Any:
    """`annotation` as a plan has it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *metadata = arguments
        if IN_SECONDS in metadata:
            _, _, *form = get_args(Duration)
            limits = (each for each in metadata if each is not IN_SECONDS)
            return Annotated[(inner, *limits, WrapValidator(_read), *form)]
        return Annotated[(_written(inner), *metadata)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return in_plan(annotation)
    if not arguments:
        return annotation
    parts = tuple(_written(each) for each in arguments)
    return reduce(or_, parts) if origin is types.UnionType else origin[parts]
