"""How one user action sees one version of the flags at every hop."""

from pathlib import Path

from pydantic import model_validator

from routing.config.base import Model


class Decisions(Model):
    """What an origin is told, to be passed on with its own calls."""

    carry: bool = True
    """Send the stages of all capabilities along, signed, and honour them at the gateway."""
    baggage: bool = False
    """Send context and decisions also as members of W3C `baggage`, which OpenTelemetry passes on
    by itself. To every server that is called, so also to those of others."""
    key_file: Path | None = None
    """Shared by proxies that are to honour each other's decisions. None: a key of its own, in the
    state folder."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of the fields to look at, besides those of our own."""
        return ("baggage",) if self.baggage else ()

    @model_validator(mode="after")
    def _something_to_carry(self) -> "Decisions":
        if self.baggage and not self.carry:
            raise ValueError("baggage needs carry")
        return self
