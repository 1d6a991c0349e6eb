"""Types that every part of the model shares: bounded texts, keys and JSON values."""

import json
import math
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

FULL_WEIGHT: Final = 100_000
"""100 %, in thousandths of a percent."""


def portable(value: Any) -> Any:
    """Infinities, lone surrogates and the like are no JSON: they would break every SDK's stream."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    text.encode()
    json.loads(text, parse_int=_finite)
    return value


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError("a number is larger than any that SDKs can read")
    return number


Json = Annotated[JsonValue, AfterValidator(portable)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=256)]
ContextKind = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=128)]
Text = Annotated[str, Field(max_length=2000), AfterValidator(portable)]
ContextKeys = Annotated[
    tuple[Annotated[str, Field(max_length=512), AfterValidator(portable)], ...],
    Field(max_length=10_000),
]
Tags = Annotated[tuple[Key, ...], Field(max_length=50)]
Op = Literal[
    "in", "startsWith", "endsWith", "matches", "contains", "lessThan", "lessThanOrEqual",
    "greaterThan", "greaterThanOrEqual", "before", "after", "semVerEqual", "semVerLessThan",
    "semVerGreaterThan", "segmentMatch",
]  # fmt: skip


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def changed(self, **changes: Any) -> Self:
        """A validated copy with `changes`; raises `pydantic.ValidationError` for invalid ones."""
        return type(self).model_validate({**dict(self), **changes})
