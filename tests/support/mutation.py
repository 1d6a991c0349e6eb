"""Messages of HTTP/1.1 with small changes, most of them where parsers disagree."""

from hypothesis import strategies as st

CHUNKS = b"Transfer-Encoding: chunked\r\n"
PIECES = st.sampled_from(
    [
        *(bytes([byte]) for byte in b"\r\n\t\x0b\x0c\x00 :;,+-_x0f1\x7f\x85\xa0\xff"),
        *(b"\r\n", b"\r\n\r\n", b"\n\n", b"\r\n ", b"0x", CHUNKS, b"Content-Length: 4\r\n"),
    ]
)
SEPARATORS = b"\r\n :;,/="


@st.composite
def mutated(
    draw: st.DrawFn, messages: st.SearchStrategy[bytes], least: int = 1, most: int = 3
) -> bytes:
    """A valid message with `least` to `most` changes, most of them around separators."""
    data = draw(messages)
    for _ in range(draw(st.integers(least, most))):
        near = [at for at, byte in enumerate(data) if byte in SEPARATORS] or [0]
        at = draw(st.sampled_from(near) | st.integers(0, len(data))) + draw(st.integers(0, 1))
        size = draw(st.integers(1, 3))
        change = draw(st.sampled_from("insert delete replace duplicate".split()))
        if change == "delete":
            data = data[:at] + data[at + size :]
        elif change == "duplicate":
            data = data[: at + size] + data[at:]
        else:
            after = at if change == "insert" else at + 1
            data = data[:at] + draw(PIECES) + data[after:]
    return data
