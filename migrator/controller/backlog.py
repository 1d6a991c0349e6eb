"""The second writes that wait, from the proxy's `/stats`. Pure.

Called by observe.py. A proxy that keeps no journal says nothing of it: nothing waits.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from migrator.errors import Unavailable
from migrator.rollout.ahead import Backlog


class _Waiting(BaseModel):
    capability: str
    side: Literal["old", "new"]
    entries: Annotated[int, Field(ge=0)]
    oldest_seconds: Annotated[float, Field(ge=0)]


class _Stats(BaseModel):
    second_writes: Annotated[tuple[_Waiting, ...], Field(max_length=10_000)] = ()


def parse_backlogs(document: bytes) -> dict[str, Backlog]:
    """What has not reached the services, by capability, whatever it waits for.

    Raises Unavailable.
    """
    try:
        waiting = _Stats.model_validate_json(document).second_writes
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Unavailable(f"the proxy's figures are not understood: {place}: {first['msg']}") from (
            error
        )
    backlogs: dict[str, Backlog] = {}
    for each in waiting:
        if each.side == "new":
            known = backlogs.get(each.capability, Backlog())
            backlogs[each.capability] = Backlog(
                entries=known.entries + each.entries,
                oldest=max(known.oldest, each.oldest_seconds),
            )
    return backlogs
