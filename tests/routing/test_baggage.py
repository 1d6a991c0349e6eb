"""Our members of the W3C baggage field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.baggage import FIELD, MAX_BYTES, MAX_MEMBERS, members, replace, unpack
from routing.context import CONTEXT_HEADER
from routing.decisions import DECISIONS_HEADER

OURS = members(b"Y29udGV4dA", b"v1.e30.bWFj")
OTHERS = st.lists(
    st.from_regex(
        r"[ \t]?[a-z*]{1,8}[ \t]?=[!-+.-:<-\[\]-~]{0,20}(;[a-z]=1)?[ \t]?", fullmatch=True
    ),
    max_size=20,
).map(lambda members: ",".join(members).encode())


@pytest.mark.parametrize(
    ("value", "ours", "whole"),
    [
        pytest.param(b"", b"", b"", id="nothing"),
        pytest.param(b"", OURS, OURS, id="ours-alone"),
        pytest.param(b"a=1, b=2;p=3", OURS, b"a=1, b=2;p=3," + OURS, id="behind-others"),
        pytest.param(b"a=1,migrator-context=x,b=2", b"", b"a=1,b=2", id="removed"),
        pytest.param(b"a=1, migrator-decisions =x;p", OURS, b"a=1," + OURS, id="replaced"),
        pytest.param(b"xmigrator-context=x", b"", b"xmigrator-context=x", id="another-name"),
        pytest.param(b"a=" + b"x" * MAX_BYTES, OURS, b"a=" + b"x" * MAX_BYTES, id="too-long"),
        pytest.param(
            b",".join([b"a=1"] * (MAX_MEMBERS - 1)),
            OURS,
            b",".join([b"a=1"] * (MAX_MEMBERS - 1)),
            id="too-many",
        ),
        pytest.param(
            b",".join([b"a=1"] * (MAX_MEMBERS - 2)),
            OURS,
            b",".join([*[b"a=1"] * (MAX_MEMBERS - 2), OURS]),
            id="just-enough",
        ),
    ],
)
def test_replace(value: bytes, ours: bytes, whole: bytes) -> None:
    assert replace(value, ours) == whole


@given(OTHERS)
def test_there_and_back(others: bytes) -> None:
    """Ours arrive, and others' members stay what they were."""
    fields = {FIELD: replace(others, OURS)}
    unpack(fields)
    assert (fields[CONTEXT_HEADER], fields[DECISIONS_HEADER]) == (b"Y29udGV4dA", b"v1.e30.bWFj")
    assert replace(fields[FIELD], b"") == others


@given(st.binary(max_size=300))
def test_arbitrary_bytes(value: bytes) -> None:
    once = replace(value, OURS)
    assert replace(once, OURS) == once
    unpack({FIELD: value})


def test_fields_win() -> None:
    fields = {FIELD: OURS, CONTEXT_HEADER: b"header"}
    unpack(fields)
    assert fields[CONTEXT_HEADER] == b"header"
