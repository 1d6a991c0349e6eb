"""What a member may do: read, change flags, or change everything."""

from enum import StrEnum

from flags.errors import Forbidden


class Role(StrEnum):
    """Values are LaunchDarkly's names in its REST API, where ours differ they are in the labels."""

    VIEWER = "reader"
    OPERATOR = "writer"
    ADMIN = "admin"

    @property
    def label(self) -> str:
        return self.name.lower()

    def allows(self, wanted: "Role") -> bool:
        return _RANK.index(self) >= _RANK.index(wanted)

    def require(self, wanted: "Role", what: str) -> None:
        """Raises `Forbidden` naming the role that is needed."""
        if not self.allows(wanted):
            raise Forbidden(
                f"{what} needs the role {wanted.label} ({wanted}); this token has {self.label}"
            )


_RANK = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
