"""How the answers of both sides to mirrored reads are compared."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from routing.config.base import Model, Token

_KIB = 1024

PathPattern = Annotated[str, Field(min_length=1, max_length=256)]
"""A difference's path, such as `body.items[].price`. `*` stands for one name, `**` for any
number of them."""


class ParityRule(Model):
    """Values that may differ, in one place."""

    path: PathPattern
    kind: Literal["tolerance", "unordered", "timestamp", "id", "regex"]
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """`tolerance`: numbers may be so far apart. `timestamp`: seconds; None: any two times agree."""
    pattern: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """`regex`: what is replaced in a text before it is compared."""
    replacement: Annotated[str, Field(max_length=256)] = ""

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "ParityRule":
        place = f"rule for {self.path}"
        if self.kind == "tolerance" and self.tolerance is None:
            raise ValueError(f"{place}: kind tolerance without one, expected tolerance: a number")
        if self.tolerance is not None and self.kind not in ("tolerance", "timestamp"):
            raise ValueError(f"{place}: tolerance means nothing for kind {self.kind}")
        if (self.pattern is None) == (self.kind == "regex"):
            raise ValueError(f"{place}: pattern belongs to kind regex, and only to it")
        if self.pattern is not None:
            try:
                re.sub(self.pattern, self.replacement, "")
            except (re.error, IndexError) as error:
                raise ValueError(
                    f"{place}: {self.pattern!r} with {self.replacement!r}: {error}"
                ) from None
        return self


class ParityRules(Model):
    """What is no difference in the answers of one capability, or of one of its routes."""

    ignore: Annotated[tuple[PathPattern, ...], Field(max_length=100)] = ()
    """Not looked at, nor anything below."""
    rules: Annotated[tuple[ParityRule, ...], Field(max_length=100)] = ()
    """The first that fits a path counts."""
    show: Annotated[tuple[PathPattern, ...], Field(max_length=100)] = ()
    """Where samples show values as they are. Elsewhere: type, length and a digest."""

    def before(self, wider: "ParityRules") -> "ParityRules":
        """These and, where they say nothing, the `wider` ones."""
        # Together they may be more than one place may have.
        return ParityRules.model_construct(
            ignore=(*self.ignore, *wider.ignore),
            rules=(*self.rules, *wider.rules),
            show=(*self.show, *wider.show),
        )


class Parity(Model):
    """Comparing mirrored reads, and what second writes have left, in each worker."""

    enabled: bool = True
    headers: Annotated[tuple[Token, ...], Field(max_length=20)] = ("content-type",)
    """Fields that are compared."""
    body: Annotated[int, Field(ge=0, le=1024 * _KIB)] = 128 * _KIB
    """Bytes of an answer's content, packed and unpacked. A longer one is not compared."""
    per_second: Annotated[float, Field(gt=0, le=10_000)] = 20.0
    """Comparisons. What is above it is counted as not compared."""
    noise_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Of the mirrored reads: what the monolith is asked twice, to learn how it differs from
    itself. 0: never; then every difference counts."""
    probe_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Of the second writes: those after which both sides are asked for what was written. 0: never,
    as without `enabled`."""
    probes_per_second: Annotated[float, Field(gt=0, le=10_000)] = 5.0
    """Such questions. What is above it is counted as not compared."""
