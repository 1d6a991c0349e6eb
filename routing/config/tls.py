"""TLS towards users and towards origins.

Files are in PEM form; the path of one begins in the working directory unless it is absolute.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from routing.config.base import Model

ServerName = Annotated[
    str,
    Field(
        pattern=r"^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$",
        max_length=253,
    ),
]
"""A DNS name, or `*.` and a domain for exactly one label before it (RFC 9525, 6.3)."""
Version = Annotated[
    Literal["1.2", "1.3"],
    BeforeValidator(lambda given: str(given) if given in (1.2, 1.3) else given),
]
"""Of TLS (RFC 5246, RFC 8446)."""


class Certificate(Model):
    """What the proxy proves its name with."""

    certificate: Path
    """The certificate and, behind it, the intermediate ones."""
    key: Path
    """Its private key without a passphrase; nobody but owner and group may read the file."""
    names: tuple[ServerName, ...] = ()
    """Names that clients ask for (RFC 6066, 3). Without any: those of the certificate."""


class ListenTls(Model):
    """TLS towards users. HTTP/1.1 is spoken inside."""

    certificates: Annotated[tuple[Certificate, ...], Field(min_length=1, max_length=256)]
    """The first one is for clients that ask for no name, or for one that nobody has."""
    minimum: Version = "1.2"
    client_ca: Path | None = None
    """Authorities that may have signed a client's certificate. None: clients are not asked."""
    client_certificate: Literal["required", "optional"] = "required"
    """With `client_ca`: whether a client without a certificate is served. One that shows another
    authority's never is."""
    pass_client_certificate: bool = False
    """Origins get the client's certificate in the field `Client-Cert` (RFC 9440)."""

    @model_validator(mode="after")
    def _certificates_come(self) -> "ListenTls":
        if self.pass_client_certificate and self.client_ca is None:
            raise ValueError(
                "pass_client_certificate has no effect without client_ca, expected both or none"
            )
        return self


class OriginTls(Model):
    """TLS towards one origin."""

    ca: Path | None = None
    """Authorities that may have signed the origin's certificate. None: the system's."""
    server_name: ServerName | None = None
    """What the certificate must be for. None: the host of the origin's URL."""
    certificate: Path | None = None
    """What the proxy identifies itself with, if the origin wants that."""
    key: Path | None = None
    """Of `certificate`."""
    verify: bool = True
    """False: whoever answers is taken for the origin."""

    @model_validator(mode="after")
    def _key_and_certificate(self) -> "OriginTls":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together, expected both or none")
        if not self.verify and self.ca is not None:
            raise ValueError("ca has no effect with verify: false, expected one of them")
        return self
