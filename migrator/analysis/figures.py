"""What a webhook answers about a metric. Pure.

For a proportion `{"old": {"count": 3, "total": 120}, "new": {"count": 1, "total": 30}}`, both of
which never fall but when the program that counts starts anew; for a value
`{"old": {"value": 0.4}, "new": {"value": 0.5}}`, null where there is none.
"""

from typing import Annotated, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from migrator.analysis.counters import Counted
from migrator.analysis.metric import Counting, Reading, Values
from migrator.errors import Unavailable
from migrator.plan.model import Metric

_Count = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
_T = TypeVar("_T", bound=BaseModel)


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Counts(_Model):
    count: _Count
    total: _Count

    @model_validator(mode="after")
    def _in_order(self) -> "_Counts":
        if self.count > self.total:
            raise ValueError("count is greater than total")
        return self


class _Value(_Model):
    value: Annotated[float, Field(allow_inf_nan=False)] | None


class _Both(_Model, Generic[_T]):
    old: _T
    new: _T


_COUNTS: Final = TypeAdapter(_Both[_Counts])
_VALUES: Final = TypeAdapter(_Both[_Value])


def parse_figures(metric: Metric, body: bytes) -> Reading:
    """Raises Unavailable for anything else."""
    try:
        if metric.is_proportion:
            counts = _COUNTS.validate_json(body)
            return Counting(old=_counted(counts.old), new=_counted(counts.new))
        values = _VALUES.validate_json(body)
        return Values(old=values.old.value, new=values.new.value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "answer"
        raise Unavailable(f"{place}: {first['msg']}") from None


def _counted(counts: _Counts) -> Counted:
    return Counted({"": counts.count}, {"": counts.total})
