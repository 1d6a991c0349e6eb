"""`traceparent` as W3C has it, and requests that carry another one on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from routing.trace_context import Parent, parse, stamp

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        pytest.param(f"00-{TRACE}-{SPAN}-01", 1, id="sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-00", 0, id="not-sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-03", 3, id="random-id"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", 1, id="later-version"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01", 1, id="later-version-as-short"),
        pytest.param(f"00-{TRACE}-{SPAN}-01-more", None, id="too-long"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", None, id="forbidden-version"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", None, id="no-trace"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", None, id="no-span"),
        pytest.param(f"00-{TRACE.upper()}-{SPAN}-01", None, id="capitals"),
        pytest.param(f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01", None, id="repeated"),
        pytest.param(f"00-{TRACE[1:]}-{SPAN}-01", None, id="too-short"),
        pytest.param("", None, id="empty"),
    ],
)
def test_values(value: str, flags: int | None) -> None:
    expected = None if flags is None else Parent(int(TRACE, 16), int(SPAN, 16), flags)
    assert parse(value.encode()) == expected


@given(
    st.from_regex(
        r"(00|cc|ff)-(0{32}|[0-9a-f]{31,32})-(0{16}|[0-9a-fA]{16})-0[0-3](-x)?", fullmatch=True
    )
)
def test_opentelemetry_reads_the_same(value: str) -> None:
    context = TraceContextTextMapPropagator().extract({"traceparent": value})
    theirs = get_current_span(context).get_span_context()
    ours = parse(value.encode())
    if ours is None:
        assert not theirs.is_valid
    else:
        assert (ours.trace_id, ours.span_id) == (theirs.trace_id, theirs.span_id)
        assert ours.sampled == theirs.trace_flags.sampled


HEAD = b"GET /traceparent: HTTP/1.1\r\nHost: a\r\n%bX: \ttraceparent:\r\n\r\n"
CAME = b"TraceParent: 00-1-2-01\r\ntracestate: a=b\r\ntraceparent:x\r\n"


@pytest.mark.parametrize(
    ("came", "parent", "kept", "flags"),
    [
        pytest.param(b"", None, b"", b"01", id="new"),
        pytest.param(CAME, None, b"", b"01", id="new in place of nonsense"),
        pytest.param(CAME, Parent(1, 2, 1), b"tracestate: a=b\r\n", b"01", id="carried-on"),
        pytest.param(b"", Parent(1, 2, 0x83), b"", b"03", id="flags that are known"),
    ],
)
def test_stamp(came: bytes, parent: Parent | None, kept: bytes, flags: bytes) -> None:
    line, rest = (HEAD % kept).split(b"\r\n", 1)
    ours = b"traceparent: 00-%b-%b-%b" % (b"0" * 31 + b"a", b"0" * 15 + b"b", flags)
    assert stamp(HEAD % came, 10, 11, parent) == b"\r\n".join((line, ours, rest))
