"""Events are found in raw bytes of a stream, however they are cut."""

import pytest

from bench.flags.capture import FIRST_VERSION, Capture
from bench.flags.events import Counter, at_version

PATCH = b'event: patch\ndata: {"path":"/flags/a","data":{"key":"a","version":7}}\n\n'
PUT = b'event: put\ndata: {"path":"/","data":{"flags":{},"segments":{}}}\n\n'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
    b"%x\r\n%b\r\n" % (len(event), event) for event in (PUT, b":\n\n", PATCH, PATCH)
)


@pytest.mark.parametrize("step", [pytest.param(9999, id="whole"), pytest.param(1, id="bytewise")])
@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        pytest.param(CHUNKED, b"patch", 2, id="patches"),
        pytest.param(CHUNKED, b"put", 1, id="puts"),
        pytest.param(PATCH[:-1], b"patch", 0, id="unfinished"),
        pytest.param(PATCH.replace(b"event: ", b"event:"), b"patch", 1, id="no-space"),
        pytest.param(b":\n\n", b"patch", 0, id="heartbeat"),
        pytest.param(b"", b"patch", 0, id="nothing"),
    ],
)
def test_counter(raw: bytes, kind: bytes, expected: int, step: int) -> None:
    counter = Counter(kind)
    assert sum(counter.feed(raw[i : i + step]) for i in range(0, len(raw), step)) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(PATCH, PATCH.replace(b":7}", b":12}"), id="compact"),
        pytest.param(
            PATCH.replace(b'":7', b'": 7'), PATCH.replace(b'":7', b'": 12'), id="with-space"
        ),
    ],
)
def test_at_version(event: bytes, expected: bytes) -> None:
    assert at_version(event, 12) == expected


def test_another_version_comes_first() -> None:
    event = b'event: patch\ndata: {"version":1,"path":"/flags/a","data":{"version":7}}\n\n'
    with pytest.raises(ValueError, match="version is not the first"):
        at_version(event, 12)


def test_captured_patches_alternate_and_grow() -> None:
    off = PATCH.replace(b'"a",', b'"b",')
    sample = Capture(put=PUT, patches=(PATCH, off))
    patches = [sample.patch(number) for number in range(3)]
    assert patches == [
        at_version(PATCH, FIRST_VERSION),
        at_version(off, FIRST_VERSION + 1),
        at_version(PATCH, FIRST_VERSION + 2),
    ]
