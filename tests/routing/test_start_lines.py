"""First lines agree with the grammar as a regular expression says it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from routing.field_names import TOKEN
from routing.start_lines import STATUS_END, read_request_line, read_status_line

REQUEST = re.compile(rb"(%b++) ([\x21\x22\x24-\x7e]++) HTTP/1\.([01])\r\n" % TOKEN)
STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*+))?\r\n")

REQUESTS = (
    b"GET / HTTP/1.1\r\n",
    b"POST /a?b=c?d HTTP/1.0\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"GET http://a/?b HTTP/1.1\r\n",
    b"GET / HTTP/1.2\r\n",
    b"GET / HTTP/2.0\r\n",
    b"GET / http/1.1\r\n",
    b"GET  / HTTP/1.1\r\n",
    b"GET /  HTTP/1.1\r\n",
    b"GET / HTTP/1.1 \r\n",
    b"GET / HTTP/1.1\n",
    b"GET /#a HTTP/1.1\r\n",
    b"GET /\t HTTP/1.1\r\n",
    b"GET\t/ HTTP/1.1\r\n",
    b"G(T / HTTP/1.1\r\n",
    b" / HTTP/1.1\r\n",
    b"GET  HTTP/1.1\r\n",
    b"GET / HTTP/1.1\r",
    b"GET /",
    b"GET",
    b"",
)
STATUSES = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 404 Not Found\r\n",
    b"HTTP/1.1 200 \r\n",
    b"HTTP/1.1 200\r\n",
    b"HTTP/1.1 599 \xe4\t\r\n",
    b"HTTP/1.1 600 A\r\n",
    b"HTTP/1.1 099 A\r\n",
    b"HTTP/1.1 2000 A\r\n",
    b"HTTP/1.1 20 A\r\n",
    b"HTTP/1.1 2 0 A\r\n",
    b"HTTP/1.2 200 A\r\n",
    b"HTTP/2.0 200 A\r\n",
    b"HTTP/1.1  200 A\r\n",
    b"HTTP/1.1\t200 A\r\n",
    b"http/1.1 200 A\r\n",
    b"HTTP/1.1 200 A\n",
    b"HTTP/1.1 200 A\x00\r\n",
    b"HTTP/1.1 200 A\r",
    b"HTTP/1.1 200",
    b"",
)


def mutated(lines: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Such lines with one place replaced by a few bytes, and something behind them."""
    return st.tuples(
        st.sampled_from(lines), st.integers(0, 20), st.integers(0, 2), st.binary(max_size=2)
    ).map(lambda each: each[0][: each[1]] + each[3] + each[0][each[1] + each[2] :] + b"rest")


def check_request_line(data: bytes) -> None:
    found, match = read_request_line(data), REQUEST.match(data)
    if found is None or match is None:
        assert (found is None) == (match is None)
        return
    method, target, minor = match.groups()
    assert (found.method, found.target, found.minor) == (method, target, int(minor))
    assert found.question == len(target.partition(b"?")[0])
    assert found.end == match.end()


def check_status_line(data: bytes) -> None:
    found, match = read_status_line(data), STATUS.match(data)
    if found is None or match is None:
        assert (found is None) == (match is None)
        return
    minor, status, reason = match.groups()
    assert (found.status, found.minor) == (int(status), int(minor))
    assert found.reason_end == match.end() - 2
    assert (found.reason_end == STATUS_END) == (reason is None)


@pytest.mark.parametrize("line", REQUESTS)
def test_request_lines(line: bytes) -> None:
    check_request_line(line)
    for end in range(len(line)):
        check_request_line(line[:end])


@pytest.mark.parametrize("line", STATUSES)
def test_status_lines(line: bytes) -> None:
    check_status_line(line)
    for end in range(len(line)):
        check_status_line(line[:end])


@given(mutated(REQUESTS) | st.binary(max_size=30))
@example(b"GET /\x7f HTTP/1.1\r\n")
def test_request_lines_agree_with_the_grammar(data: bytes) -> None:
    check_request_line(data)


@given(mutated(STATUSES) | st.binary(max_size=30))
def test_status_lines_agree_with_the_grammar(data: bytes) -> None:
    check_status_line(data)


@pytest.mark.parametrize("byte", range(256))
def test_each_byte_in_each_place(byte: int) -> None:
    for line in (b"G%cT / HTTP/1.1\r\n", b"GET /%c HTTP/1.1\r\n", b"GET / HTTP/1.%c\r\n"):
        check_request_line(line % byte)
    for line in (b"HTTP/1.%c 200 OK\r\n", b"HTTP/1.1 %c00 OK\r\n", b"HTTP/1.1 2%c0 OK\r\n"):
        check_status_line(line % byte)
    for line in (b"HTTP/1.1 20%c OK\r\n", b"HTTP/1.1 200%cOK\r\n", b"HTTP/1.1 200 %c\r\n"):
        check_status_line(line % byte)
