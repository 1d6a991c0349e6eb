"""The elements of RFC 7239."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.forwarded import address, element, parse


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        pytest.param(
            b"for=192.0.2.60;proto=http;by=203.0.113.43",
            [{b"for": b"192.0.2.60", b"proto": b"http", b"by": b"203.0.113.43"}],
            id="one",
        ),
        pytest.param(
            b'for=192.0.2.43, For="[2001:db8:cafe::17]:4711", for=unknown',
            [{b"for": b"192.0.2.43"}, {b"for": b"[2001:db8:cafe::17]:4711"}, {b"for": b"unknown"}],
            id="list",
        ),
        pytest.param(b'for="_a\\"b,c;d"', [{b"for": b'_a"b,c;d'}], id="quoted-pair"),
        pytest.param(
            b"for=a; proto=https ,, for=b",
            [{b"for": b"a", b"proto": b"https"}, {b"for": b"b"}],
            id="white-space-and-empty",
        ),
        pytest.param(b"", [], id="nothing"),
        pytest.param(b'for="192.0.2.1', None, id="open-quotation"),
        pytest.param(b"for=a;for=b", None, id="twice"),
        pytest.param(b"for=[2001:db8::1]", None, id="unquoted-brackets"),
        pytest.param(b"for = a", None, id="space-around-equals"),
        pytest.param(b"192.0.2.1", None, id="no-pair"),
        pytest.param(b'for=a"b"', None, id="token-and-quotation"),
    ],
)
def test_parse(value: bytes, elements: list[dict[bytes, bytes]] | None) -> None:
    assert parse(value) == elements


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((b"192.0.2.1", b"http", b"example.org"), b"for=192.0.2.1;proto=http;host=example.org"),
        (
            (b"2001:db8::1", b"https", b"example.org:8443"),
            b'for="[2001:db8::1]";proto=https;host="example.org:8443"',
        ),
        ((b"unknown", b"http", b""), b"for=unknown;proto=http"),
    ],
)
def test_element(said: tuple[bytes, bytes, bytes], expected: bytes) -> None:
    assert element(*said) == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (b"192.0.2.1", b"192.0.2.1"),
        (b"192.0.2.1:80", b"192.0.2.1"),
        (b"192.0.2.1:_port", b"192.0.2.1"),
        (b"[2001:db8::1]:4711", b"2001:db8::1"),
        (b"[2001:db8::1]", b"2001:db8::1"),
        (b"2001:db8::1", b"2001:db8::1"),
        (b"unknown", b"unknown"),
        (b"_hidden", b"_hidden"),
    ],
)
def test_address(node: bytes, expected: bytes) -> None:
    assert address(node) == expected


TEXT = st.binary(max_size=20).map(
    lambda raw: bytes(b for b in raw if b in (9, *range(32, 127), *range(128, 256)))
)
CLIENTS = st.ip_addresses().map(lambda found: str(found).encode())
ELEMENTS = st.tuples(CLIENTS, st.sampled_from([b"http", b"https"]), TEXT)


@given(st.lists(ELEMENTS, max_size=4))
def test_what_is_written_is_read_again(said: list[tuple[bytes, bytes, bytes]]) -> None:
    read = parse(b", ".join(element(*one) for one in said))
    assert read is not None
    assert [(address(each[b"for"]), each[b"proto"], each.get(b"host", b"")) for each in read] == (
        said
    )


@given(st.text('for=;," \\abc[]:', max_size=40).map(str.encode), ELEMENTS)
def test_nothing_valid_swallows_what_is_appended(
    value: bytes, said: tuple[bytes, bytes, bytes]
) -> None:
    before = parse(value)
    if before is not None:
        assert parse(value + b", " + element(*said)) == before + (parse(element(*said)) or [])


@given(st.binary(max_size=60))
def test_any_bytes_give_elements_or_none(value: bytes) -> None:
    parse(value)
    address(value)


@given(st.ip_addresses(), st.integers(0, 65_535))
def test_a_port_is_no_part_of_an_address(found: IPv4Address | IPv6Address, port: int) -> None:
    node = f"[{found}]:{port}" if found.version == 6 else f"{found}:{port}"
    assert address(node.encode()) == str(found).encode()
