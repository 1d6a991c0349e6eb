"""PromQL as metrics use it: queries for one origin, and Prometheus' answers. Pure.

Source: Prometheus, "HTTP API", instant queries (`/api/v1/query`), as of version 2.42.
"""

from math import isfinite
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from migrator.analysis.counters import MAX_SERIES
from migrator.analysis.stats import Origin
from migrator.errors import Unavailable
from migrator.plan.model import ByOrigin


def query_for(query: str | ByOrigin, origin: Origin, capability: str) -> str:
    """`query` with its places filled in."""
    text = query if isinstance(query, str) else getattr(query, origin)
    return str(text).replace("${origin}", origin).replace("${capability}", capability)


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


_Sample = tuple[float, str]
"""Time in Unix seconds, and the value as text."""


class _Labelled(_Model):
    metric: dict[str, str] = {}
    value: _Sample


class _Vector(_Model):
    resultType: Literal["vector"]
    result: list[_Labelled]


class _Scalar(_Model):
    resultType: Literal["scalar"]
    result: _Sample


class _Success(_Model):
    status: Literal["success"]
    data: Annotated[_Vector | _Scalar, Field(discriminator="resultType")]


class _Failure(_Model):
    status: Literal["error"]
    errorType: str = ""
    error: str


_ANSWER: Final[TypeAdapter[_Success | _Failure]] = TypeAdapter(
    Annotated[_Success | _Failure, Field(discriminator="status")]
)
_MAX_ERROR: Final = 200


def parse_answer(body: bytes) -> dict[str, float]:
    """Values by series; what is not a number (NaN, infinite) is left out.

    Raises Unavailable for an error, an answer that is none, and more than `MAX_SERIES`.
    """
    try:
        answer = _ANSWER.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "answer"
        raise Unavailable(
            f"{place}: {first['msg']}", hint="a query must give an instant vector or a scalar"
        ) from None
    if isinstance(answer, _Failure):
        raise Unavailable(f"{answer.errorType}: {answer.error[:_MAX_ERROR]}")
    data = answer.data
    if isinstance(data, _Scalar):
        found = {"": _number(data.result[1])}
    else:
        found = {_name(each.metric): _number(each.value[1]) for each in data.result}
    if len(found) > MAX_SERIES:
        raise Unavailable(f"{len(found)} series, at most {MAX_SERIES} are read; sum some of them")
    return {name: value for name, value in found.items() if value is not None}


def one_value(values: dict[str, float]) -> float | None:
    """The only one; None if there is none. Raises Unavailable for several."""
    if len(values) > 1:
        raise Unavailable(f"{len(values)} series where one value is expected; use sum or max")
    return next(iter(values.values()), None)


def _name(labels: dict[str, str]) -> str:
    return repr(sorted(labels.items())) if labels else ""


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except ValueError:
        raise Unavailable(f"{text!r:.40} is no number") from None
    return value if isfinite(value) else None
