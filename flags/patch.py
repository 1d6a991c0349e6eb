"""Semantic patch: a list of instructions becomes a changed flag, or one error. Pure."""

import difflib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flags.errors import Rejected, first_problem
from flags.instructions import INSTRUCTIONS, Instruction, World
from flags.model import Flag

_BY_KIND: Final[Mapping[str, type[Instruction]]] = MappingProxyType(
    {get_args(i.model_fields["kind"].annotation)[0]: i for i in INSTRUCTIONS}
)


class Patch(BaseModel):
    """The body of a semantic patch request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environmentKey: str | None = None
    comment: Annotated[str, Field(max_length=2000)] = ""
    instructions: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]
    ignoreConflicts: bool = False


def parse(body: object) -> Patch:
    """Raises `Rejected` naming the field."""
    try:
        return Patch.model_validate(body)
    except ValidationError as error:
        raise Rejected(first_problem(error, "semantic patch")) from None


def apply(flag: Flag, instructions: Sequence[Mapping[str, Any]], world: World) -> Flag:
    """`flag` after every instruction in order; all are applied or none.

    Raises `Rejected` naming the instruction's index and the field. The version is not changed.
    """
    for index, raw in enumerate(instructions):
        kind = str(raw.get("kind"))
        where = f"instructions[{index}]"
        if kind not in _BY_KIND:
            near = difflib.get_close_matches(kind, _BY_KIND, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(_BY_KIND)}"
            raise Rejected(f"{where}.kind: unknown instruction {kind!r}{hint}")
        try:
            flag = _BY_KIND[kind].model_validate(raw).apply(flag, world)
        except ValidationError as error:
            raise Rejected(first_problem(error, f"{where} ({kind})")) from None
        except ValueError as error:
            raise Rejected(f"{where} ({kind}): {error}") from None
    return flag
