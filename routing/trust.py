"""Whose signatures a proxy believes: its own, and those of the issuer of users' tokens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing.signing import Keyrings

if TYPE_CHECKING:
    from routing.tokens import TokenVerifier


@dataclass(frozen=True, slots=True)
class Trust:
    """By one configuration. `tokens` None: there are none."""

    keyrings: Keyrings
    tokens: "TokenVerifier | None"
