"""Which certificate a name gets."""

import pytest

from routing.errors import InvalidConfig
from routing.server_names import ServerNames

NAMES = ServerNames(
    [("first", ()), ("exact", ("A.example.org",)), ("below", ("*.example.org", "*.b.test"))]
)


@pytest.mark.parametrize(
    ("name", "offer"),
    [
        ("a.example.org", "exact"),
        ("A.EXAMPLE.ORG.", "exact"),
        ("b.example.org", "below"),
        ("c.b.test", "below"),
        ("d.c.b.test", "first"),
        ("example.org", "first"),
        ("*.example.org", "below"),
        ("", "first"),
        (".", "first"),
        (None, "first"),
    ],
)
def test_select(name: str | None, offer: str) -> None:
    assert NAMES.select(name) == offer


@pytest.mark.parametrize(
    ("offers", "words"),
    [
        ([("a", ("x.test",)), ("b", ("X.test",))], "certificates.1: the name 'x.test' belongs"),
        ([("a", ()), ("b", ())], "certificates.1: the certificate has no DNS name"),
    ],
)
def test_refused(offers: list[tuple[str, tuple[str, ...]]], words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        ServerNames(offers)
