"""What is accepted as a message head, what is refused, and what is forwarded."""

from contextlib import suppress

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.errors import BadMessage
from routing.message import CHUNKED, UNTIL_CLOSE, RequestReader, ResponseReader

READER = RequestReader(("x-user",))
HOST = b"Host: example.org\r\n"


def request(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes = HOST) -> bytes:
    return first + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(request(b"Content-Length: 1", b"Transfer-Encoding: chunked"), 400, id="CL+TE"),
        pytest.param(request(b"Content-Length: 1", b"Content-Length: 1"), 400, id="two-CL"),
        pytest.param(request(b"Content-Length: +1"), 400, id="signed-CL"),
        pytest.param(request(b"Content-Length: 1, 1"), 400, id="list-CL"),
        pytest.param(request(b"Transfer-Encoding: gzip, chunked"), 501, id="gzip"),
        pytest.param(request(b"Transfer-Encoding: chunked, chunked"), 400, id="chunked-twice"),
        pytest.param(request(b"Host: other.org"), 400, id="two-hosts"),
        pytest.param(request(host=b""), 400, id="no-host"),
        pytest.param(request(host=b"Host: a b\r\n"), 400, id="bad-host"),
        pytest.param(request(b"X-A: 1\nX-B: 2"), 400, id="bare-LF"),
        pytest.param(request(b"X-A: 1", b" folded"), 400, id="obs-fold"),
        pytest.param(request(b"X-A : 1"), 400, id="space-before-colon"),
        pytest.param(request(b"X-A: \x00"), 400, id="NUL"),
        pytest.param(request(b"no colon"), 400, id="no-colon"),
        pytest.param(request(first=b"GET /a b HTTP/1.1"), 400, id="space-in-target"),
        pytest.param(request(first=b"GET /#fragment HTTP/1.1"), 400, id="fragment"),
        pytest.param(request(first=b"GET other HTTP/1.1"), 400, id="relative-target"),
        pytest.param(request(first=b"GET * HTTP/1.1"), 400, id="asterisk-for-GET"),
        pytest.param(request(first=b"CONNECT a:1 HTTP/1.1"), 501, id="CONNECT"),
        pytest.param(request(first=b"GET / HTTP/1.2"), 505, id="HTTP/1.2"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, id="HTTP/2-preface"),
        pytest.param(request(first=b"GET /" + b"a" * 9000 + b" HTTP/1.1"), 414, id="long-target"),
        pytest.param(request(b"X-A: " + b"a" * 70_000), 431, id="long-head"),
        pytest.param(request(*[b"X-A: 1"] * 120), 431, id="many-fields"),
        pytest.param(request(b"Connection: content-length"), 400, id="Connection-names-framing"),
        pytest.param(
            request(b"Transfer-Encoding: chunked", first=b"GET / HTTP/1.0"), 400, id="TE-in-1.0"
        ),
    ],
)
def test_refused(data: bytes, status: int) -> None:
    with pytest.raises(BadMessage) as refused:
        READER.read(data)
    assert refused.value.status == status


def test_accepted_and_forwarded() -> None:
    head = READER.read(
        request(
            b"X-User: alice",
            b"Cookie: a=1",
            b"Cookie: uid=alice",
            b"Connection: keep-alive, X-Secret",
            b"X-Secret: for this hop",
            b"X-Migrator-Context: forged",
            b"X_Migrator-Context: forged",
            b"x_migrator_context: forged",
            b"X_Forwarded_For: 192.0.2.1",
            b"X-Forwarded-For: 192.0.2.1",
            b"TE: trailers",
            b"Content-Length: 3",
            first=b"POST /articles/1?x=y HTTP/1.1",
        )
        + b"abc"
    )
    assert head is not None
    assert (head.method, head.path, head.body, head.keep_alive) == (
        b"POST", b"/articles/1", 3, True,
    )  # fmt: skip
    assert head.fields[b"cookie"] == b"a=1; uid=alice"
    assert head.forward == (
        b"POST /articles/1?x=y HTTP/1.1\r\nHost: example.org\r\nX-User: alice\r\n"
        b"Cookie: a=1\r\nCookie: uid=alice\r\nContent-Length: 3\r\n"
    )


@pytest.mark.parametrize(
    ("first", "host", "forwarded"),
    [
        pytest.param(
            b"GET http://a.example/x HTTP/1.1",
            HOST,
            b"GET /x HTTP/1.1\r\nHost: a.example\r\n",
            id="absolute-form",
        ),
        pytest.param(
            b"OPTIONS http://a.example:80 HTTP/1.1",
            HOST,
            b"OPTIONS * HTTP/1.1\r\nHost: a.example:80\r\n",
            id="absolute-form-of-asterisk",
        ),
        pytest.param(
            b"OPTIONS http://a.example/ HTTP/1.1",
            HOST,
            b"OPTIONS / HTTP/1.1\r\nHost: a.example\r\n",
            id="OPTIONS-in-absolute-form",
        ),
        pytest.param(
            b"OPTIONS * HTTP/1.1",
            HOST,
            b"OPTIONS * HTTP/1.1\r\nHost: example.org\r\n",
            id="asterisk",
        ),
        pytest.param(b"GET / HTTP/1.0", b"", b"GET / HTTP/1.1\r\nHost: \r\n", id="HTTP/1.0"),
    ],
)
def test_rewritten(first: bytes, host: bytes, forwarded: bytes) -> None:
    head = READER.read(request(first=first, host=host))
    assert head is not None
    assert head.forward == forwarded


TOKENS = st.text("abcXYZ-_09!", min_size=1, max_size=8).map(str.encode)
VALUES = st.text("abc XYZ,;=/\"'", max_size=12).map(lambda text: text.strip().encode())
FIELDS = st.lists(st.tuples(TOKENS.map(lambda name: b"X-" + name), VALUES), max_size=6)
HEADS = st.builds(
    lambda method, path, fields, length: request(
        *(name + b": " + value for name, value in fields),
        *((b"Content-Length: %d" % length,) if length is not None else ()),
        first=method + b" /" + path + b" HTTP/1.1",
    ),
    st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE"]),
    st.text("abc/%20.-", max_size=12).map(str.encode),
    FIELDS,
    st.none() | st.integers(0, 10**6),
)


@given(HEADS)
def test_h11_reads_the_same(data: bytes) -> None:
    head = READER.read(data)
    assert head is not None
    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(data)
    event = oracle.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method, event.target.partition(b"?")[0]) == (head.method, head.path)
    length = dict(event.headers).get(b"content-length", b"0")
    assert head.body == int(length)


@given(HEADS)
def test_what_is_forwarded_is_accepted_again(data: bytes) -> None:
    head = READER.read(data)
    assert head is not None
    again = READER.read(head.forward + b"\r\n")
    assert again is not None
    assert (again.method, again.path, again.body, again.forward) == (
        head.method, head.path, head.body, head.forward,
    )  # fmt: skip


@given(HEADS, st.data())
def test_a_part_of_a_head_is_not_a_head(data: bytes, choose: st.DataObject) -> None:
    cut = choose.draw(st.integers(0, len(data) - 1))
    assert READER.read(data[:cut]) is None


@given(st.binary(max_size=200) | st.text("GET /HTP1.:\r\n a", max_size=80).map(str.encode))
def test_any_bytes_give_a_head_nothing_or_bad_message(data: bytes) -> None:
    for read in (lambda: READER.read(data), lambda: ResponseReader().read(data, b"GET")):
        with suppress(BadMessage):
            read()


@pytest.mark.parametrize(
    ("data", "method", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"GET", 5, id="length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HEAD", 0, id="HEAD"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"GET", 0, id="204"),
        pytest.param(
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"GET", 0, id="304"
        ),
        pytest.param(b"HTTP/1.1 200\r\n\r\n", b"GET", UNTIL_CLOSE, id="until-close"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET", CHUNKED, id="chunked"
        ),
    ],
)
def test_response_framing(data: bytes, method: bytes, body: int) -> None:
    head = ResponseReader().read(data, method)
    assert head is not None
    assert head.body == body


@pytest.mark.parametrize("status", [b"100", b"101", b"103", b"204"])
@pytest.mark.parametrize("field", [b"content-LENGTH: 0", b"Transfer-Encoding: chunked"])
def test_framing_of_answers_without_content_is_dropped(status: bytes, field: bytes) -> None:
    """RFC 9110, 8.6 and RFC 9112, 6.1."""
    head = ResponseReader().read(
        b"HTTP/1.1 %b Why\r\nA: 1\r\n%b\r\nX-Content-Length: 2\r\n\r\n" % (status, field), b"GET"
    )
    assert head is not None
    assert head.body == 0
    assert head.forward == b"HTTP/1.1 %b Why\r\nA: 1\r\nX-Content-Length: 2\r\n" % status


@pytest.mark.parametrize(("status", "method"), [(b"304", b"GET"), (b"200", b"HEAD")])
def test_framing_that_describes_another_answer_is_kept(status: bytes, method: bytes) -> None:
    data = b"HTTP/1.1 %b Why\r\nContent-Length: 5\r\n" % status
    head = ResponseReader().read(data + b"\r\n", method)
    assert head is not None
    assert (head.body, head.forward) == (0, data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            id="CL+TE",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two-CL"
        ),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", id="status"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="not-HTTP"),
    ],
)
def test_refused_responses(data: bytes) -> None:
    with pytest.raises(BadMessage) as refused:
        ResponseReader().read(data, b"GET")
    assert refused.value.status == 502
