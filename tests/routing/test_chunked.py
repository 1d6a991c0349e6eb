"""Where a chunked body ends, however it is cut."""

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.chunked import ChunkedBody
from routing.errors import BadMessage

PARTS = st.lists(st.binary(min_size=1, max_size=30), max_size=5)


def encode(parts: list[bytes], trailers: bytes = b"") -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return chunks + b"0\r\n" + trailers + b"\r\n"


@given(PARTS, st.lists(st.integers(0, 200), max_size=6), st.binary(max_size=10))
def test_any_cut_gives_the_same_end_and_payload(
    parts: list[bytes], cuts: list[int], rest: bytes
) -> None:
    data = encode(parts) + rest
    body = ChunkedBody()
    payload: list[bytes] = []
    at = 0
    for end in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        if body.done:
            break
        taken = body.feed(data[at:end], 0, payload)
        at += taken
    assert body.done
    assert data[at:] == rest
    assert b"".join(payload) == b"".join(parts)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"x\r\n", id="no-size"),
        pytest.param(b"-1\r\n", id="negative"),
        pytest.param(b"0x1\r\n", id="prefix"),
        pytest.param(b"1\nA\r\n", id="bare-LF"),
        pytest.param(b"1\r\nAB\r\n", id="longer-than-said"),
        pytest.param(b"1" * 17 + b"\r\n", id="too-many-digits"),
        pytest.param(b"1;" + b"e" * 5000, id="endless-extension"),
        pytest.param(b"0\r\nContent-Length: 1\r\n\r\n", id="framing-in-trailers"),
        pytest.param(b"0\r\n" + b"X-A: b\r\n" * 5000, id="endless-trailers"),
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        ChunkedBody().feed(data)


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("X_Migrator_Context", True),
        ("X-Forwarded-For", True),
        ("X-Real-IP", True),
        ("Authorization", True),
        ("Cookie", True),
        ("Transfer_Encoding", True),
        ("TE", True),
        ("Host-Id", False),
        ("Connection-Id", False),
        ("Content-Digest", False),
        ("X-Forward", False),
    ],
)
def test_trailers_that_a_head_would_be_believed_for(name: str, refused: bool) -> None:
    """RFC 9110, 6.5.1."""
    data = encode([b"abc"], f"{name}: 1\r\n".encode())
    with pytest.raises(BadMessage) if refused else nullcontext():
        ChunkedBody().feed(data)


def test_trailers_end_the_body() -> None:
    body = ChunkedBody()
    data = encode([b"abc"], b"X-Checksum: 1\r\n")
    assert body.feed(data) == len(data)
    assert body.done
