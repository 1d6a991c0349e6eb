"""Published shapes of request smuggling and response splitting: refused, never repaired."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import h11
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mutation import CHUNKS, mutated
from routing.chunked import ChunkedBody
from routing.errors import BadMessage
from routing.message import CHUNKED, RequestHead, RequestReader, ResponseReader

Begin = Callable[[], AbstractAsyncContextManager[Any]]
READER = RequestReader(("x-user",))
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def post(fields: bytes, body: bytes = b"", first: bytes = b"POST /other HTTP/1.1") -> bytes:
    """A request whose fields besides Host are `fields`."""
    return first + b"\r\nHost: a\r\n" + fields + b"\r\n" + body


def get(first: bytes, fields: bytes = b"Host: a\r\n") -> bytes:
    return first + b"\r\n" + fields + b"\r\n"


def coding(line: bytes) -> bytes:
    """The obfuscated coding beside a length, so that either reading ends somewhere else."""
    return post(line + b"\r\nContent-Length: 4\r\n", b"0\r\n\r\n")


def length(value: bytes) -> bytes:
    return post(b"Content-Length:" + value + b"\r\n", b"abcd")


REFUSED: dict[str, tuple[int, bytes]] = {
    # Two framings at once.
    "CL.TE": (400, post(b"Content-Length: 6\r\n" + CHUNKS, b"0\r\n\r\nG")),
    "TE.CL": (400, post(CHUNKS + b"Content-Length: 4\r\n", b"5c\r\n")),
    "CL.TE-one-empty": (400, post(b"Content-Length:\r\n" + CHUNKS, b"0\r\n\r\n")),
    "CL.TE-zero": (400, post(b"Content-Length: 0\r\n" + CHUNKS, b"0\r\n\r\n")),
    # Transfer-Encoding that only some would read (TE.TE).
    "TE-space-before-colon": (400, coding(b"Transfer-Encoding : chunked")),
    "TE-tab-before-colon": (400, coding(b"Transfer-Encoding\t: chunked")),
    "TE-vertical-tab-before-colon": (400, coding(b"Transfer-Encoding\x0b: chunked")),
    "TE-leading-space": (400, coding(b" Transfer-Encoding: chunked")),
    "TE-vertical-tab": (400, coding(b"Transfer-Encoding:\x0bchunked")),
    "TE-form-feed": (400, coding(b"Transfer-Encoding:\x0cchunked")),
    "TE-trailing-vertical-tab": (400, coding(b"Transfer-Encoding: chunked\x0b")),
    "TE-NUL": (400, coding(b"Transfer-Encoding: chunked\x00")),
    "TE-NUL-in-name": (400, coding(b"Transfer\x00-Encoding: chunked")),
    "TE-bare-CR": (400, coding(b"Transfer-Encoding: \rchunked")),
    "TE-CR-before-colon": (400, coding(b"Transfer-Encoding\r: chunked")),
    "TE-after-bare-CR": (400, coding(b"X: x\rTransfer-Encoding: chunked")),
    "TE-after-bare-LF": (400, coding(b"X: x\nTransfer-Encoding: chunked")),
    "TE-folded": (400, coding(b"Transfer-Encoding:\r\n chunked")),
    "TE-folded-tab": (400, coding(b"Transfer-Encoding:\r\n\tchunked")),
    "TE-folded-list": (400, coding(b"Transfer-Encoding: chunked\r\n , identity")),
    "TE-folded-into-other": (400, coding(b"X: x\r\n Transfer-Encoding: chunked")),
    "TE-high-bytes": (400, coding(b"Transfer-Encoding\xa0: chunked")),
    "TE-no-colon": (400, coding(b"Transfer-Encoding chunked")),
    "xchunked": (400, post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    "TE-high-space": (400, post(b"Transfer-Encoding: \xa0chunked\r\n", b"0\r\n\r\n")),
    "chunked-identity": (400, post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n")),
    "identity-chunked": (501, post(b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n")),
    "identity": (400, post(b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n")),
    "TE-empty": (400, post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n")),
    "TE-empty-then-chunked": (400, post(b"Transfer-Encoding:\r\n" + CHUNKS, b"0\r\n\r\n")),
    "TE-comma": (400, post(b"Transfer-Encoding: chunked,\r\n", b"0\r\n\r\n")),
    "TE-leading-comma": (400, post(b"Transfer-Encoding: ,chunked\r\n", b"0\r\n\r\n")),
    "TE-quoted": (400, post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n")),
    "TE-single-quoted": (400, post(b"Transfer-Encoding: 'chunked'\r\n", b"0\r\n\r\n")),
    "TE-parameter": (400, post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n")),
    "TE-two-words": (400, post(b"Transfer-Encoding: x chunked\r\n", b"0\r\n\r\n")),
    "TE-twice": (400, post(CHUNKS * 2, b"0\r\n\r\n")),
    "TE-twice-different": (400, post(CHUNKS + b"Transfer-Encoding: cow\r\n", b"0\r\n\r\n")),
    "TE-chunked-parameter-then-chunked": (
        400,
        post(b"Transfer-Encoding: chunked;q=1, chunked\r\n", b"0\r\n\r\n"),
    ),
    "TE-chunked-gzip-chunked": (
        400,
        post(b"Transfer-Encoding: chunked, gzip, chunked\r\n", b"0\r\n\r\n"),
    ),
    "TE-gzip-empty-chunked": (400, post(b"Transfer-Encoding: gzip,, chunked\r\n", b"0\r\n\r\n")),
    "TE-gzip": (400, post(b"Transfer-Encoding: gzip\r\n", b"0\r\n\r\n")),
    "gzip-chunked": (501, post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    "gzip-parameter-chunked": (
        501,
        post(b"Transfer-Encoding: gzip ;a=1;b=2\t,Chunked\r\n", b"0\r\n\r\n"),
    ),
    "TE-in-1.0": (400, post(CHUNKS, b"0\r\n\r\n", b"POST /other HTTP/1.0")),
    # Content-Length that only some would read.
    "CL-plus": (400, length(b" +4")),
    "CL-minus": (400, length(b" -4")),
    "CL-minus-zero": (400, length(b" -0")),
    "CL-inner-space": (400, length(b" 4 2")),
    "CL-inner-tab": (400, length(b" 4\t2")),
    "CL-hex": (400, length(b" 0x4")),
    "CL-hex-digits": (400, length(b" a")),
    "CL-underscore": (400, length(b" 1_0")),
    "CL-exponent": (400, length(b" 1e1")),
    "CL-fraction": (400, length(b" 4.0")),
    "CL-list": (400, length(b" 4, 4")),
    "CL-trailing-comma": (400, length(b" 4,")),
    "CL-parameter": (400, length(b" 4;x")),
    "CL-quoted": (400, length(b' "4"')),
    "CL-high-digits": (400, length(b" \xc2\xb2")),
    "CL-arabic-digits": (400, length(" ٤".encode())),
    "CL-empty": (400, length(b"")),
    "CL-blank": (400, length(b"  ")),
    "CL-vertical-tab": (400, length(b"\x0b4")),
    "CL-NUL": (400, length(b" 4\x00")),
    "CL-huge": (400, length(b" 18446744073709551620")),
    "CL-beyond-53-bits": (400, length(b" 9007199254740993")),
    "CL-beyond-4300-digits": (400, length(b" " + b"0" * 5000 + b"4")),
    "CL-twice-equal": (400, post(b"Content-Length: 4\r\n" * 2, b"abcd")),
    "CL-twice-different": (400, post(b"Content-Length: 4\r\nContent-Length: 0\r\n", b"abcd")),
    "CL-twice-one-empty": (400, post(b"Content-Length: 4\r\nContent-Length:\r\n", b"abcd")),
    "CL-space-before-colon": (400, post(b"Content-Length : 4\r\n", b"abcd")),
    "CL-folded": (400, post(b"Content-Length:\r\n 4\r\n", b"abcd")),
    "CL-folded-digits": (400, post(b"Content-Length: 4\r\n 0\r\n", b"abcd")),
    # Lines and bytes of a head.
    "bare-LF-everywhere": (400, b"GET /other HTTP/1.1\nHost: a\n\n"),
    "bare-LF-first-line": (400, b"GET /other HTTP/1.1\nHost: a\r\n\r\n"),
    "bare-LF-field": (400, b"GET /other HTTP/1.1\r\nHost: a\nX: x\r\n\r\n"),
    "bare-LF-end": (400, b"GET /other HTTP/1.1\r\nHost: a\r\n\n"),
    "bare-CR-everywhere": (400, b"GET /other HTTP/1.1\rHost: a\r\r\n\r\n"),
    "bare-CR-field": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\nX: a\rb\r\n")),
    "CR-CR-LF": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\nX: a\r\r\n")),
    "CR-CR-LF-end": (400, b"GET /other HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n"),
    "NUL-in-value": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\nX: a\x00b\r\n")),
    "NUL-first": (400, get(b"\x00GET /other HTTP/1.1")),
    "DEL-in-value": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\nX: a\x7fb\r\n")),
    "escape-in-value": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\nX: a\x1bb\r\n")),
    "empty-name": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\n: x\r\n")),
    "no-colon": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\nX\r\n")),
    "high-byte-in-name": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\nX\xe9: x\r\n")),
    "space-before-first-field": (400, get(b"GET /other HTTP/1.1", b" X: x\r\nHost: a\r\n")),
    "tab-before-first-field": (400, get(b"GET /other HTTP/1.1", b"\tX: x\r\nHost: a\r\n")),
    "space-line-before-end": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\n \r\n")),
    # The request line.
    "space-before-line": (400, get(b" GET /other HTTP/1.1")),
    "tab-before-line": (400, get(b"\tGET /other HTTP/1.1")),
    "two-spaces-before-target": (400, get(b"GET  /other HTTP/1.1")),
    "two-spaces-before-version": (400, get(b"GET /other  HTTP/1.1")),
    "tab-before-target": (400, get(b"GET\t/other HTTP/1.1")),
    "tab-before-version": (400, get(b"GET /other\tHTTP/1.1")),
    "space-after-version": (400, get(b"GET /other HTTP/1.1 ")),
    "version-twice": (400, get(b"GET /other HTTP/1.1 HTTP/1.1")),
    "version-in-target": (400, get(b"GET /other HTTP/1.1 /x HTTP/1.0")),
    "lower-case-version": (400, get(b"GET /other http/1.1")),
    "version-without-dot": (400, get(b"GET /other HTTP/11")),
    "version-leading-zero": (400, get(b"GET /other HTTP/01.1")),
    "version-two-digits": (400, get(b"GET /other HTTP/1.10")),
    "version-sign": (400, get(b"GET /other HTTP/+1.1")),
    "other-protocol": (400, get(b"GET /other ICY/1.1")),
    "HTTP/1.2": (505, get(b"GET /other HTTP/1.2")),
    "HTTP/3.0": (505, get(b"GET /other HTTP/3.0")),
    "HTTP/0.9": (400, b"GET /other\r\n"),
    "HTTP/0.9-version": (505, get(b"GET /other HTTP/0.9")),
    "HTTP/2-preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "method-bracket": (400, get(b"G[T /other HTTP/1.1")),
    "method-colon": (400, get(b"GET: /other HTTP/1.1")),
    "method-high-byte": (400, get(b"G\xcbT /other HTTP/1.1")),
    "method-NUL": (400, get(b"G\x00T /other HTTP/1.1")),
    "method-missing": (400, get(b"/other HTTP/1.1")),
    "target-high-byte": (400, get(b"GET /oth\xe9r HTTP/1.1")),
    "target-NUL": (400, get(b"GET /oth\x00r HTTP/1.1")),
    "target-bare-CR": (400, get(b"GET /other\rX HTTP/1.1")),
    "target-fragment": (400, get(b"GET /other#x HTTP/1.1")),
    "target-relative": (400, get(b"GET other HTTP/1.1")),
    "target-at-sign": (400, get(b"GET @evil/ HTTP/1.1")),
    "target-port": (400, get(b"GET :80/other HTTP/1.1")),
    "target-other-scheme": (400, get(b"GET file:///etc/passwd HTTP/1.1")),
    "target-userinfo": (400, get(b"GET http://u:p@a/other HTTP/1.1")),
    "target-no-host": (400, get(b"GET http:///other HTTP/1.1")),
    "target-backslash-host": (400, get(b"GET http://a\\@evil/other HTTP/1.1")),
    "target-authority": (400, get(b"GET a:80 HTTP/1.1")),
    "target-asterisk": (400, get(b"GET * HTTP/1.1")),
    "CONNECT": (501, get(b"CONNECT a:80 HTTP/1.1")),
    "CONNECT-path": (501, get(b"CONNECT /other HTTP/1.0")),
    "long-target": (414, get(b"GET /" + b"a" * 9000 + b" HTTP/1.1")),
    "long-head": (431, get(b"GET /other HTTP/1.1", b"Host: a\r\nX: " + b"a" * 70_000 + b"\r\n")),
    "many-fields": (431, get(b"GET /other HTTP/1.1", b"Host: a\r\n" + b"X: x\r\n" * 101)),
    # Host.
    "Host-missing": (400, get(b"GET /other HTTP/1.1", b"X: x\r\n")),
    "Host-missing-absolute": (400, get(b"GET http://a/other HTTP/1.1", b"X: x\r\n")),
    "Host-twice-equal": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\nHost: a\r\n")),
    "Host-twice-different": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\nhOST: b\r\n")),
    "Host-twice-in-1.0": (400, get(b"GET /other HTTP/1.0", b"Host: a\r\nHost: b\r\n")),
    "Host-twice-absolute": (400, get(b"GET http://a/ HTTP/1.1", b"Host: a\r\nHost: a\r\n")),
    "Host-list": (400, get(b"GET /other HTTP/1.1", b"Host: a, b\r\n")),
    "Host-userinfo": (400, get(b"GET /other HTTP/1.1", b"Host: u@a\r\n")),
    "Host-port-at-sign": (400, get(b"GET /other HTTP/1.1", b"Host: a:80@evil\r\n")),
    "Host-path": (400, get(b"GET /other HTTP/1.1", b"Host: a/b\r\n")),
    "Host-query": (400, get(b"GET /other HTTP/1.1", b"Host: a?b\r\n")),
    "Host-fragment": (400, get(b"GET /other HTTP/1.1", b"Host: a#b\r\n")),
    "Host-backslash": (400, get(b"GET /other HTTP/1.1", b"Host: a\\b\r\n")),
    "Host-space": (400, get(b"GET /other HTTP/1.1", b"Host: a b\r\n")),
    "Host-scheme": (400, get(b"GET /other HTTP/1.1", b"Host: http://a\r\n")),
    "Host-letters-in-port": (400, get(b"GET /other HTTP/1.1", b"Host: a:8x\r\n")),
    "Host-two-ports": (400, get(b"GET /other HTTP/1.1", b"Host: a:80:80\r\n")),
    "Host-space-before-colon": (400, get(b"GET /other HTTP/1.1", b"Host : a\r\n")),
    "Host-folded": (400, get(b"GET /other HTTP/1.1", b"Host: a\r\n b\r\n")),
    # Connection that takes away what the message means.
    "Connection-CL": (400, post(b"Connection: Content-Length\r\nContent-Length: 4\r\n", b"abcd")),
    "Connection-TE": (400, post(b"Connection: transfer-encoding\r\n" + CHUNKS, b"0\r\n\r\n")),
    "Connection-Host": (400, post(b"Connection: close, host\r\n")),
    "Connection-second-field": (400, post(b"Connection: close\r\nConnection: Host\r\n")),
    "Connection-colon": (
        400,
        get(b"GET /other HTTP/1.1", b"Host:a:80\r\nConnection: host:a\r\n"),
    ),
    "Connection-two-words": (400, post(b"Connection: close x\r\n")),
    "Connection-quoted": (400, post(b'Connection: "close"\r\n')),
    # Expect does not make a framing better.
    "Expect-CL.TE": (
        400,
        post(b"Expect: 100-continue\r\nContent-Length: 4\r\n" + CHUNKS, b"0\r\n\r\n"),
    ),
    "Expect-TE-twice": (400, post(b"Expect: 100-continue\r\n" + CHUNKS * 2, b"0\r\n\r\n")),
    "Expect-not-first": (417, post(b"Expect: y 100-continue\r\nContent-Length: 35\r\n", SMUGGLED)),
    "Expect-parameter": (417, post(b"Expect: 100-continue;x=y\r\nContent-Length: 4\r\n", b"abcd")),
    "Expect-twice": (417, post(b"Expect: 100-continue\r\n" * 2 + CHUNKS, b"0\r\n\r\n")),
    "Expect-other": (417, post(b"Expect: 100-continued\r\nContent-Length: 4\r\n", b"abcd")),
    "Expect-empty": (417, post(b"Expect:\r\nContent-Length: 4\r\n", b"abcd")),
    "Expect-0.CL": (
        417,
        post(b"Expect: 100-continue, x\r\nContent-Length: 0\r\n", b"", b"GET /other HTTP/1.1"),
    ),
    "Max-Forwards-negative": (400, post(b"Max-Forwards: -1\r\n", b"", b"OPTIONS * HTTP/1.1")),
    "Max-Forwards-twice": (400, post(b"Max-Forwards: 1\r\n" * 2, b"", b"TRACE /other HTTP/1.1")),
    "Max-Forwards-empty": (400, post(b"Max-Forwards:\r\n", b"", b"OPTIONS /other HTTP/1.1")),
    "Expect-folded": (400, post(b"Expect:\r\n 100-continue\r\nContent-Length: 4\r\n", b"abcd")),
}


def shapes(longest: int) -> list[Any]:
    return [
        pytest.param(status, data, id=name)
        for name, (status, data) in REFUSED.items()
        if len(data) <= longest
    ]


@pytest.mark.parametrize(("status", "data"), shapes(100_000))
def test_refused_whole(status: int, data: bytes) -> None:
    with pytest.raises(BadMessage) as refused:
        READER.read(data + SMUGGLED)
    assert refused.value.status == status


@pytest.mark.parametrize(("status", "data"), shapes(1000))
def test_refused_byte_by_byte(status: int, data: bytes) -> None:
    """No beginning of it is a head either, and it does not wait for ever."""
    whole = data + SMUGGLED
    with pytest.raises(BadMessage) as refused:
        any(READER.read(whole[:end]) for end in range(1, len(whole) + 1))
    assert refused.value.status == status


BODIES: dict[str, bytes] = {
    "size-0x": b"0x4\r\nabcd\r\n0\r\n\r\n",
    "size-plus": b"+4\r\nabcd\r\n0\r\n\r\n",
    "size-minus": b"-4\r\nabcd\r\n0\r\n\r\n",
    "size-minus-zero": b"-0\r\n\r\n",
    "size-underscore": b"1_0\r\nabcdabcdabcdabcd\r\n0\r\n\r\n",
    "size-leading-space": b" 4\r\nabcd\r\n0\r\n\r\n",
    "size-trailing-space": b"4 \r\nabcd\r\n0\r\n\r\n",
    "size-trailing-tab": b"4\t\r\nabcd\r\n0\r\n\r\n",
    "size-inner-space": b"4 0\r\nabcd\r\n0\r\n\r\n",
    "size-vertical-tab": b"4\x0b\r\nabcd\r\n0\r\n\r\n",
    "size-NUL": b"4\x00\r\nabcd\r\n0\r\n\r\n",
    "size-not-hex": b"4g\r\nabcd\r\n0\r\n\r\n",
    "size-fraction": b"4.0\r\nabcd\r\n0\r\n\r\n",
    "size-quoted": b'"4"\r\nabcd\r\n0\r\n\r\n',
    "size-empty": b"\r\nabcd\r\n0\r\n\r\n",
    "size-only-extension": b";x\r\nabcd\r\n0\r\n\r\n",
    "size-high-digits": "٤\r\nabcd\r\n0\r\n\r\n".encode(),
    "size-negative-in-64-bits": b"FFFFFFFFFFFFFFFC\r\nabcd\r\n0\r\n\r\n",
    "size-wraps-64-bits": b"10000000000000004\r\nabcd\r\n0\r\n\r\n",
    "size-many-zeros": b"0" * 40 + b"4\r\nabcd\r\n0\r\n\r\n",
    "size-bare-LF": b"4\nabcd\r\n0\r\n\r\n",
    "size-bare-CR": b"4\rabcd\r\n0\r\n\r\n",
    "size-CR-CR-LF": b"4\r\r\nabcd\r\n0\r\n\r\n",
    "EXT.TERM": b"4;\nabcd\r\n0\r\n\r\n",
    "TERM.EXT": b"4;a\nx\r\nabcd\r\n0\r\n\r\n",
    "EXT-bare-CR": b"4;a\rb\r\nabcd\r\n0\r\n\r\n",
    "EXT-NUL": b"4;a\x00\r\nabcd\r\n0\r\n\r\n",
    "EXT-space-before": b"4 ;a\r\nabcd\r\n0\r\n\r\n",
    "EXT-without-semicolon": b"4 a\r\nabcd\r\n0\r\n\r\n",
    "EXT-at-the-end": b"4\r\nabcd\r\n0;\n\r\n\r\n",
    "data-without-CRLF": b"4\r\nabcd0\r\n\r\n",
    "data-bare-LF": b"4\r\nabcd\n0\r\n\r\n",
    "data-bare-CR": b"4\r\nabcd\r0\r\n\r\n",
    "data-two-bytes-skipped": b"4\r\nabcdXX0\r\n\r\n",
    "data-longer": b"4\r\nabcde\r\n0\r\n\r\n",
    "data-shorter": b"5\r\nabcd\r\n0\r\n\r\n",
    "end-bare-LF": b"4\r\nabcd\r\n0\r\n\n",
    "end-size-bare-LF": b"4\r\nabcd\r\n0\n\r\n",
    "trailer-CL": b"0\r\nContent-Length: 4\r\n\r\n",
    "trailer-TE": b"0\r\ntransfer-encoding: chunked\r\n\r\n",
    "trailer-Host": b"0\r\nHost: b\r\n\r\n",
    "trailer-Connection": b"0\r\nConnection: close\r\n\r\n",
    "trailer-ours": b"0\r\nX-Migrator-Context: x\r\n\r\n",
    "trailer-folded": b"0\r\nX: x\r\n Content-Length: 4\r\n\r\n",
    "trailer-space-before-colon": b"0\r\nX : x\r\n\r\n",
    "trailer-bare-LF": b"0\r\nX: x\nY: y\r\n\r\n",
    "trailer-bare-CR": b"0\r\nX: x\rY: y\r\n\r\n",
    "trailer-NUL": b"0\r\nX: \x00\r\n\r\n",
    "trailer-is-a-request": b"0\r\nGET /smuggled HTTP/1.1\r\nX: y\r\n\r\n",
}


@pytest.mark.parametrize("step", [pytest.param(0, id="whole"), pytest.param(1, id="bytes")])
@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in BODIES.items()])
def test_refused_bodies(data: bytes, step: int) -> None:
    whole = data + SMUGGLED
    step = step or len(whole)
    body = ChunkedBody()
    with pytest.raises(BadMessage):
        list(map(body.feed, (whole[at : at + step] for at in range(0, len(whole), step))))


ACCEPTED: dict[str, tuple[bytes, bytes, int]] = {
    "CL.0": (
        post(b"Content-Length: 35\r\n", SMUGGLED, b"GET /other HTTP/1.1"),
        b"GET /other HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n",
        35,
    ),
    "0.CL": (
        post(b"Content-Length: 0\r\n"),
        b"POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n",
        0,
    ),
    "Expect-CL.0": (
        post(b"Expect: 100-continue\r\nContent-Length: 35\r\n", SMUGGLED),
        b"POST /other HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 35\r\n",
        35,
    ),
    "Expect-0.CL": (
        post(b"Expect: 100-Continue\r\nContent-Length: 0\r\n", b"", b"GET /other HTTP/1.1"),
        b"GET /other HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 0\r\n",
        0,
    ),
    "h2c": (
        post(
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            b"",
            b"GET /other HTTP/1.1",
        ),
        b"GET /other HTTP/1.1\r\nHost: a\r\n",
        0,
    ),
    "h2c-not-listed": (
        post(
            b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\nhttp2-settings: AAMAAABk\r\n",
            b"",
            b"GET /other HTTP/1.1",
        ),
        b"GET /other HTTP/1.1\r\nHost: a\r\n",
        0,
    ),
    "TE-upper-case": (
        post(b"Transfer-Encoding: CHUNKED\r\n", b"0\r\n\r\n"),
        b"POST /other HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n",
        CHUNKED,
    ),
    "absolute-form-with-another-Host": (
        get(b"GET http://b:80/other HTTP/1.1"),
        b"GET /other HTTP/1.1\r\nHost: b:80\r\n",
        0,
    ),
    "absolute-form-query-only": (
        get(b"GET HTTP://b?x HTTP/1.1"),
        b"GET /?x HTTP/1.1\r\nHost: b\r\n",
        0,
    ),
    "lower-case-method-is-another-method": (
        get(b"get /other HTTP/1.1"),
        b"get /other HTTP/1.1\r\nHost: a\r\n",
        0,
    ),
    "two-slashes": (get(b"GET //evil/ HTTP/1.1"), b"GET //evil/ HTTP/1.1\r\nHost: a\r\n", 0),
}


@pytest.mark.parametrize(
    ("data", "forward", "body"),
    [pytest.param(*shape, id=name) for name, shape in ACCEPTED.items()],
)
def test_accepted_with_one_meaning(data: bytes, forward: bytes, body: int) -> None:
    head = READER.read(data)
    assert head is not None
    assert (head.forward, head.body, head.websocket) == (forward, body, False)


# Differences to h11. It is laxer in places; what is accepted here it has to accept and read alike.

HEADS = st.sampled_from(
    [
        post(b"Content-Length: 4\r\n", b"abcd"),
        post(CHUNKS, b"4\r\nabcd\r\n0\r\n\r\n"),
        post(b"Connection: close, x\r\nX: a b\r\nExpect: 100-continue\r\n"),
        get(b"GET http://b:80/other?x HTTP/1.1"),
        get(b"GET /other HTTP/1.0", b"Content-Length: 0\r\n"),
    ]
)
CHUNKED_BODIES = st.sampled_from(
    [
        b"4\r\nabcd\r\n0\r\n\r\n",
        b"a;x=y\r\n0123456789\r\n00\r\nX: y\r\n\r\n",
        b"1\r\n\r\r\n2;a\r\n\r\n\r\n0;b\r\nX: y\r\nZ:\r\n\r\n",
    ]
)


def accepted(data: bytes) -> RequestHead | None:
    try:
        return READER.read(data)
    except BadMessage:
        return None


def chunked_end(data: bytes, cuts: list[int]) -> tuple[int, bytes] | None:
    """Where the body in `data` ends and what it says; None if it is refused or not complete."""
    body = ChunkedBody()
    payload: list[bytes] = []
    at = 0
    try:
        for end in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
            at += body.feed(data[at:end], 0, payload)
            if body.done:
                return at, b"".join(payload)
    except BadMessage:
        pass
    return None


def read_by_h11(data: bytes) -> tuple[h11.Request, bytes, bytes, bool]:
    """Request, content, what follows the message, and whether the message is complete."""
    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(data)
    first = oracle.next_event()
    assert isinstance(first, h11.Request)
    content = b""
    while isinstance(event := oracle.next_event(), h11.Data):
        content += event.data
    return first, content, oracle.trailing_data[0], isinstance(event, h11.EndOfMessage)


@given(mutated(HEADS), st.lists(st.integers(0, 120), max_size=4))
def test_h11_accepts_what_is_accepted_and_reads_it_alike(data: bytes, cuts: list[int]) -> None:
    head = accepted(data)
    if head is None:
        return
    rest = data[head.end :]
    content: bytes
    if head.body == CHUNKED:
        found = chunked_end(rest, cuts)
        if found is None:
            return
        end, content = found
    else:
        end, content = min(head.body, len(rest)), rest[: head.body]
    request, theirs, after, complete = read_by_h11(data)
    assert request.method == head.method
    target = request.target.partition(b"?")[0]
    assert target.endswith(head.path) or (head.path == b"/" and b"://" in target)
    assert request.http_version == b"1.%d" % head.minor
    assert theirs == content
    assert complete == (head.body == CHUNKED or len(rest) >= head.body)
    if complete:
        assert after == rest[end:]


@given(mutated(HEADS))
def test_what_is_forwarded_has_the_same_framing_for_h11(data: bytes) -> None:
    head = accepted(data)
    if head is None or (head.body != CHUNKED and len(data) - head.end < head.body):
        return
    rest = data[head.end :]
    if head.body == CHUNKED and chunked_end(rest, []) is None:
        return
    before, after = read_by_h11(data), read_by_h11(head.forward + b"\r\n" + rest)
    assert after[0].method == before[0].method
    assert after[1:] == before[1:]


@given(
    mutated(CHUNKED_BODIES),
    st.lists(st.integers(0, 60), max_size=6),
    st.lists(st.integers(0, 60), max_size=6),
)
@example(b"4\r\nabcd\r\n0\r\n\r\n", list(range(60)), [])
def test_h11_finds_the_same_end_of_chunked_bodies(
    data: bytes, cuts: list[int], others: list[int]
) -> None:
    found = chunked_end(data, cuts)
    assert found == chunked_end(data, others)
    if found is None:
        return
    end, content = found
    _, theirs, after, complete = read_by_h11(post(CHUNKS) + data)
    assert (theirs, after, complete) == (content, data[end:], True)


RESPONSES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\n" + CHUNKS + b"\r\n4\r\nabcd\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
        b"HTTP/1.1 404\r\nConnection: close\r\n\r\nabcd",
    ]
)


@given(mutated(RESPONSES), st.sampled_from([b"GET", b"HEAD"]))
def test_h11_reads_the_same_responses(data: bytes, method: bytes) -> None:
    try:
        head = ResponseReader().read(data, method)
    except BadMessage:
        return
    if head is None or head.status < 200:
        return
    rest = data[head.end :]
    found = chunked_end(rest, []) if head.body == CHUNKED else None
    if head.body == CHUNKED and found is None:
        return
    oracle = h11.Connection(h11.CLIENT)
    oracle.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    oracle.send(h11.EndOfMessage())
    oracle.receive_data(data)
    first = oracle.next_event()
    assert isinstance(first, h11.Response)
    assert first.status_code == head.status
    content = b""
    while isinstance(event := oracle.next_event(), h11.Data):
        content += event.data
    expected = found[1] if found else rest[: head.body] if head.body >= 0 else rest
    assert content == expected


REFUSED_RESPONSES: dict[str, bytes] = {
    "CL.TE": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + CHUNKS + b"\r\n0\r\n\r\n",
    "CL-twice-equal": b"HTTP/1.1 200 OK\r\n" + b"Content-Length: 4\r\n" * 2 + b"\r\nabcd",
    "CL-twice-different": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 0\r\n\r\nabcd",
    "CL-list": b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nabcd",
    "CL-plus": b"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nabcd",
    "CL-minus": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabcd",
    "CL-hex": b"HTTP/1.1 200 OK\r\nContent-Length: 0x4\r\n\r\nabcd",
    "CL-empty": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nabcd",
    "CL-huge": b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551620\r\n\r\nabcd",
    "CL-wrong-in-304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n",
    "TE-gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabcd",
    "TE-twice": b"HTTP/1.1 200 OK\r\n" + CHUNKS * 2 + b"\r\n0\r\n\r\n",
    "TE-in-1.0": b"HTTP/1.0 200 OK\r\n" + CHUNKS + b"\r\n0\r\n\r\n",
    "TE-space-before-colon": b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "TE-folded": b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "splitting-by-LF": b"HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b=c\r\nContent-Length: 0\r\n\r\n",
    "splitting-by-CR": b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b=c\r\nContent-Length: 0\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n",
    "Connection-CL": b"HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 0\r\n\r\n",
    "Connection-colon": b"HTTP/1.1 200 OK\r\nConnection: a:b\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": b"<html></html>\r\n\r\n",
    "HTTP/2": b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
    "status-600": b"HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n",
    "status-two-spaces": b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
    "status-1xx-then-garbage": b"HTTP/1.1 103 Early Hints\r\n\r\nabcd\r\n\r\n",
    "101-unasked": b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nabcd",
    "101-another-protocol": b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nabcd",
    "large-head": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    "chunk-size": b"HTTP/1.1 200 OK\r\n" + CHUNKS + b"\r\n0x4\r\nabcd\r\n0\r\n\r\n",
    "chunk-bare-LF": b"HTTP/1.1 200 OK\r\n" + CHUNKS + b"\r\n4;\nabcd\r\n0\r\n\r\n",
}
EXCESS: dict[str, tuple[bytes, bytes, bytes]] = {
    "body-after-204": (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "body-after-304": (b"GET", b"HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", b""),
    "body-after-HEAD": (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b""),
    "longer-than-CL": (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "longer-than-chunks": (
        b"GET",
        b"HTTP/1.1 200 OK\r\n" + CHUNKS + b"\r\n2\r\nok\r\n0\r\n\r\n",
        b"2\r\nok\r\n0\r\n\r\n",
    ),
    "1xx-flood": (
        b"GET",
        b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 500
        + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"ok",
    ),
}
SPLIT = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
ANSWER = b"HTTP/1.1 "
REFUSAL = b"\r\nContent-Type: application/problem+json\r\n"


def test_one_running_proxy(begin: Begin) -> None:
    """The whole table again: closed after one refusal, and no origin hears of it."""

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy()
            await world.ready(http)
            for part in PARTS:
                world.old.seen.clear()
                await part(world)

    asyncio.run(run())


async def refused_requests(world: Any) -> None:
    async def one(name: str, status: int, data: bytes) -> None:
        answer = await world.on_wire(data + SMUGGLED)
        assert answer.startswith(b"%b%d " % (ANSWER, status)), name
        assert answer.count(REFUSAL) == answer.count(b"\r\nConnection: close\r\n") == 1, name

    await asyncio.gather(*(one(name, *shape) for name, shape in REFUSED.items()))
    # A recursion for each empty line would end in an error, and without an answer.
    for count in (1, 20_000):
        answer = await world.on_wire(b"\r\n" * count + b"\n" + SMUGGLED)
        assert answer.startswith(ANSWER + b"400 ")
    assert world.old.seen == []
    answer = await world.on_wire(b"\r\n" * 20_000 + LAST)
    assert answer.startswith(ANSWER + b"200 ")


async def refused_bodies(world: Any) -> None:
    async def one(name: str, data: bytes) -> None:
        answer = await world.on_wire(post(CHUNKS, data) + SMUGGLED)
        assert answer.startswith(ANSWER + b"400 "), name
        assert answer.count(REFUSAL) == 1, name

    async def waits(_head: bytes, reader: Any, _writer: Any) -> None:
        await reader.read()

    echo, world.old.answer = world.old.answer, waits
    await asyncio.gather(*(one(name, data) for name, data in BODIES.items()))
    world.old.answer = echo
    assert not any(b"smuggled" in head for head in world.old.seen)


async def meanings(world: Any) -> None:
    for name, (data, forward, _) in ACCEPTED.items():
        world.old.seen.clear()
        answer = await world.on_wire(data + LAST)
        assert answer.count(ANSWER + b"200 ") == 2, name
        first, last = world.old.seen
        assert first.startswith(forward + b"X-Forwarded-For: "), name
        assert last.startswith(b"GET /last "), name


async def refused_answers(world: Any) -> None:
    async def answer(head: bytes, _reader: Any, writer: Any) -> None:
        writer.write(REFUSED_RESPONSES[head.split()[1].partition(b"/a/")[2].decode()] + SPLIT)

    async def one(name: str) -> None:
        asked = get(b"POST /a/" + name.encode() + b" HTTP/1.1")
        told = await world.on_wire(asked + get(b"GET / HTTP/1.1", b"Connection: close\r\n"))
        if name == "status-1xx-then-garbage":
            _, _, told = told.partition(b"\r\n\r\n")
        assert told.startswith(ANSWER + b"502 "), name
        assert b"smuggled" not in told, name

    echo, world.old.answer = world.old.answer, answer
    await asyncio.gather(*map(one, REFUSED_RESPONSES))
    # Asked for a WebSocket, the origin may change to that and to nothing else.
    asked = b"GET /a/101-another-protocol HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\n"
    told = await world.on_wire(asked + b"Upgrade: websocket\r\n\r\n")
    assert told.startswith(ANSWER + b"502 ")
    world.old.answer = echo


async def excess(world: Any) -> None:
    """What follows an answer is neither passed on nor taken for the next one."""
    echo = world.old.answer
    for name, (method, data, body) in EXCESS.items():

        async def answer(head: bytes, reader: Any, writer: Any, data: bytes = data) -> None:
            if b" /last " in head:
                await echo(head, reader, writer)
            else:
                writer.write(data + SPLIT)

        world.old.answer = answer
        told = await world.on_wire(get(method + b" /other HTTP/1.1") + LAST)
        assert b"smuggled" not in told, name
        first, _, last = told.rpartition(ANSWER)
        assert first.endswith(b"\r\n\r\n" + body), name
        assert last.endswith(b"old 0"), name
    world.old.answer = echo


async def a_tunnel_that_is_refused(world: Any) -> None:
    """What follows the handshake is the next request, also for the proxy."""

    async def refuses(head: bytes, reader: Any, writer: Any) -> None:
        if b"\r\nUpgrade: websocket\r\n" in head:
            writer.write(b"HTTP/1.1 426 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
            writer.write(b"Content-Length: 0\r\n\r\n")
        else:
            await echo(head, reader, writer)

    handshake = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\n"
    echo, world.old.answer = world.old.answer, refuses
    told = await world.on_wire(post(handshake, b"", b"GET /other HTTP/1.1") + SMUGGLED + LAST)
    statuses = [answer[:3] for answer in told.split(ANSWER)[1:]]
    assert statuses == [b"426", b"200", b"200"]
    _, second, last = world.old.seen
    assert second.startswith(SMUGGLED.removesuffix(b"\r\n") + b"X-Forwarded-For: ")
    assert last.startswith(b"GET /last ")
    world.old.answer = echo


PARTS = (
    refused_requests,
    refused_bodies,
    meanings,
    refused_answers,
    excess,
    a_tunnel_that_is_refused,
)
