"""The one pass over field lines agrees with the grammar as a regular expression says it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from routing.field_lines import LONG_NAME, REMEMBERED, FieldNames, read_field_lines
from routing.field_names import TOKEN

LINE = rb"%b++:[\t\x20-\x7e\x80-\xff]*+\r\n" % TOKEN
FIRST = b"first line\r\n"
NAMES = (b"host", b"cookie", b"x-a")
DROPPED = (b"connection", rb"x[-_]forwarded[-_]%b*+" % TOKEN, b"secret")
IGNORED = (b"secret",)


def names() -> FieldNames:
    return FieldNames(NAMES, DROPPED, IGNORED)


def oracle(data: bytes, most: int) -> tuple[dict[bytes, bytes], bytes, int] | None:
    """What is looked at, what is forwarded, and where the block ends: by several passes."""
    block = re.compile(rb"(?:%b){0,%d}+\r\n" % (LINE, most)).match(data, len(FIRST))
    if block is None:
        return None
    fields: dict[bytes, bytes] = {}
    forward = FIRST
    for line in re.findall(LINE, block[0]):
        spelling, _, value = line.partition(b":")
        name, value = spelling.lower(), value.strip(b"\r\n\t ")
        dropped = any(re.fullmatch(each, name) for each in DROPPED)
        if not dropped:
            forward += line
        if (dropped and name not in IGNORED) or name in NAMES:
            glue = b"; " if name == b"cookie" else b", "
            fields[name] = fields[name] + glue + value if name in fields else value
    return fields, forward, block.end()


KNOWN = st.sampled_from(
    [b"Host", b"host", b"Cookie", b"X-A", b"x-b", b"Connection", b"X_Forwarded-For", b"Secret"]
)
VALUE = st.binary(max_size=6) | st.sampled_from(
    [b"", b" v ", b"\t \t", b"a=1", b"\x80\xff", b"a\tb"]
)
GOOD = st.builds(lambda name, value: name + b":" + value + b"\r\n", KNOWN, VALUE)
ODD = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b": v\r\n", b"a : v\r\n", b" folded\r\n", b"a:b\n", b"a:\x00\r\n", b"a"]
)
LINES = st.lists(GOOD, max_size=5).map(b"".join)
BLOCKS = st.one_of(
    LINES.map(lambda lines: lines + b"\r\nrest"),
    st.tuples(LINES, ODD, LINES).map(lambda parts: b"".join(parts) + b"\r\n"),
    st.tuples(LINES, st.binary(max_size=12)).map(b"".join),
)


@given(BLOCKS, st.integers(0, 6))
@example(b"", 1)
@example(b"\r\n", 0)
@example(b"Host: a\r\n\r\n", 0)
@example(b"Host: a\r\n\r", 1)
@example(b"Host: a\x7f\r\n\r\n", 1)
def test_agrees_with_the_grammar(block: bytes, most: int) -> None:
    data = FIRST + block
    found = read_field_lines(data, len(FIRST), most, names())
    said = None if found is None else (found.fields, found.forward, found.end)
    assert said == oracle(data, most)


@given(LINES.map(lambda lines: lines + b"\r\n"))
def test_no_part_of_a_block_is_taken_for_all_of_it(block: bytes) -> None:
    """Else what comes later would be read as a body or another request."""
    data = FIRST + block
    found = read_field_lines(data, len(FIRST), 9, names())
    if found is None:
        return
    for end in range(len(FIRST), found.end):
        assert read_field_lines(data[:end], len(FIRST), 9, names()) is None


@pytest.mark.parametrize("byte", range(256))
def test_each_byte_in_a_name_and_in_a_value(byte: int) -> None:
    for line in (b"a%cb: c\r\n", b"a: b%cc\r\n"):
        data = FIRST + line % byte + b"\r\n"
        found = read_field_lines(data, len(FIRST), 9, names())
        assert (found is not None) == (oracle(data, 9) is not None)


def test_spellings_are_remembered_within_bounds() -> None:
    known = names()
    for number in range(3 * REMEMBERED):
        assert known.find(b"X-Forwarded-%d" % number).forwarded is False
        assert len(known.known) <= REMEMBERED
    long = b"a" * (LONG_NAME + 1)
    assert known.find(long).forwarded
    assert long not in known.known
