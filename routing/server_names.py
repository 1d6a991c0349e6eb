"""Which certificate a client gets: by the server name that it asks for (RFC 6066, 3).

Pure. The exact name before `*.` and a domain, which stands for exactly one label (RFC 9525, 6.3).
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

from routing.errors import InvalidConfig

T = TypeVar("T")


class ServerNames(Generic[T]):
    """What to give for a name. Raises InvalidConfig for a name that is there twice, or for
    something behind the first that has no name and so would never be given."""

    def __init__(self, offers: Iterable[tuple[T, Iterable[str]]]) -> None:
        self._found: dict[str, T] = {}
        self._any: list[T] = []
        for number, (offer, names) in enumerate(offers):
            self._any.append(offer)
            known = False
            for name in dict.fromkeys(each.lower() for each in names):
                if name in self._found:
                    raise InvalidConfig(
                        f"listen.tls.certificates.{number}: the name {name!r} belongs to another "
                        "certificate already",
                        hint="give them different names",
                    )
                self._found[name] = offer
                known = True
            if number and not known:
                raise InvalidConfig(
                    f"listen.tls.certificates.{number}: the certificate has no DNS name, expected "
                    "one in it or in names"
                )

    def select(self, name: str | None) -> T:
        """The one for `name`; the first one for None and for names that nobody has."""
        if name is not None:
            name = name.lower().removesuffix(".")
            offer = self._found.get(name) or self._found.get("*." + name.partition(".")[2])
            if offer is not None:
                return offer
        return self._any[0]
