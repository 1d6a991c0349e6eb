"""The proxy's `/parity` document, checked at the border. Pure."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from migrator.errors import InvalidInput, Unavailable

Count = Annotated[int, Field(ge=0)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Sample(_Document):
    """One pair that differed. Values are told by type, length and digest unless declared."""

    at: float
    method: str
    target: str
    status: tuple[int, int]
    old: str
    new: str


class Group(_Document):
    id: str
    path: str
    kind: str
    verdict: Annotated[Literal["real", "noise", "open"], Field(alias="class")]
    count: Count
    noise: Count
    samples: tuple[Sample, ...] = ()


class Capability(_Document):
    """Parity of a capability's reads, or of what its writes have left."""

    capability: str
    access: Literal["read", "write"]
    compared: Count
    equal: Count
    different: Count
    noise: Count
    open: Count
    repeated: Count
    not_compared: dict[str, Count] = {}
    agree: float | None
    groups: tuple[Group, ...] = ()

    @property
    def title(self) -> str:
        return self.capability if self.access == "read" else f"{self.capability}, after writes"


class Report(_Document):
    at: float
    parity: tuple[Capability, ...]

    def find(self, id: str) -> tuple[Capability, Group]:
        """The group with this id. Raises InvalidInput."""
        for capability in self.parity:
            for group in capability.groups:
                if group.id == id:
                    return capability, group
        raise InvalidInput(f"no difference {id!r}", hint="see `migrator parity list`")


def parse_report(document: bytes | str) -> Report:
    """Read the document. Raises Unavailable when it is not one."""
    try:
        return Report.model_validate_json(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        raise Unavailable(
            f"the proxy's /parity: {place}: {first['msg']}",
            hint="is something else listening on the proxy's admin port?",
        ) from error
