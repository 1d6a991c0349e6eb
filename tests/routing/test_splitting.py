"""How a stream is cut into pieces changes nothing, and h11 reads at both ends what the proxy read.

The proxy is whole but for its sockets (tests/support/socketless_proxy.py): what is compared is what
the origin and the client get, so a difference here is one that peers would see.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mutation import CHUNKS, mutated
from routing.config import Limits
from socketless_proxy import CONFIG, SocketlessProxy, Wire, socketless_proxy

Make = Callable[[], SocketlessProxy]
HOST = b" HTTP/1.1\r\nHost: a\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
REQUESTS = st.sampled_from(
    [
        b"GET /a" + HOST + b"\r\n",
        b"HEAD /a?b" + HOST + b"X-User: u\r\n\r\n",
        b"POST /a" + HOST + b"Content-Length: 4\r\n\r\nabcd",
        b"PUT /a" + HOST + CHUNKS + b"\r\n4;e=f\r\nabcd\r\n1\r\n\n\r\n0\r\nX: y\r\n\r\n",
        b"POST /a" + HOST + b"Expect: 100-continue\r\n" + CHUNKS + b"\r\n0\r\n\r\n",
        b"\r\nGET http://b/a" + HOST + b"Connection: x, close\r\nX: y\r\n\r\n",
        b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"GET /a" + HOST + WEBSOCKET + b"\r\n",
    ]
)
OK = b"HTTP/1.1 200 OK\r\n"
RESPONSES = st.sampled_from(
    [
        OK + b"Content-Length: 4\r\n\r\nabcd",
        OK + CHUNKS + b"\r\n4;e=f\r\nabcd\r\n1\r\n\n\r\n0\r\nX: y\r\n\r\n",
        OK + b"Connection: close, x\r\nX: y\r\n\r\nabcd",
        b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 404 Not Found\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 101 Switching Protocols\r\n" + WEBSOCKET + b"\r\nabcd",
    ]
)
CUTS = st.lists(st.integers(0, 250), max_size=12)
SETTINGS = settings(deadline=None, max_examples=50)
"""An example is a few hundred turns of an event loop."""
VARIES = re.compile(rb"(?<=\r\nDate: )[^\r]++|(?<=migrator_id=)[^;]++")


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    with socketless_proxy(CONFIG) as one:
        yield one


@pytest.fixture(scope="module")
def make_strict() -> Iterator[Make]:
    """With limits that some of the messages reach."""
    limits = Limits(request_line=64, head=256, fields=3, body=4)
    with socketless_proxy(CONFIG.model_copy(update={"limits": limits})) as one:
        yield one


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[at:end] for at, end in pairwise(ends) if end > at]


def each_byte(data: bytes) -> list[bytes]:
    return pieces(data, list(range(len(data))))


class Message(NamedTuple):
    """A request or a response as h11 reads it."""

    start: tuple[bytes, ...]
    content: bytes
    trailers: tuple[tuple[bytes, bytes], ...] = ()


class Origin:
    """h11 at the other end of one wire; answers each request when it is complete."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._read = 0
        self._machine = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._content = b""

    def serve(self, seen: list[Message]) -> None:
        """Raises RemoteProtocolError if h11 would refuse what the proxy has forwarded."""
        if fresh := self._wire.written[self._read :]:  # nothing would mean the end to h11
            self._machine.receive_data(fresh)
            self._read += len(fresh)
        while True:
            event = self._machine.next_event()
            if isinstance(event, h11.Request):
                self._request, self._content = event, b""
            elif isinstance(event, h11.Data):
                self._content += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert self._request is not None
                seen.append(message(self._request, self._content, event))
                self._answer(self._request.method == b"HEAD")
            else:
                return

    def _answer(self, head_only: bool) -> None:
        events: list[Any] = [h11.Response(status_code=200, headers=[("Content-Length", "2")])]
        if not head_only:
            events.append(h11.Data(data=b"ok"))
        said = b"".join(self._machine.send(event) or b"" for event in events)
        said += self._machine.send(h11.EndOfMessage()) or b""
        if self._machine.our_state is h11.DONE:
            self._machine.start_next_cycle()
        self._wire.receive(said)


def message(request: h11.Request, content: bytes, end: h11.EndOfMessage) -> Message:
    path = re.sub(rb"(?i)^https?://[^/?]*+", b"", request.target)
    return Message((request.method, path or b"/"), content, tuple(end.headers))


class Outcome(NamedTuple):
    requests: list[Message]
    """Complete ones that reached the origin."""
    statuses: list[int]
    """Of their answers, and 400 for a refusal of what came then, whatever its reason."""
    answers: bytes
    """Without the refusal: of several reasons the first to arrive is named."""
    end: str


def ask(proxy: SocketlessProxy, parts: list[bytes], *, prompt: bool = True) -> Outcome:
    """What comes of a client that says `parts`, and then that it says no more.

    `prompt`: the origin answers before the next part comes, not after all of them.
    """
    client = proxy.client()
    origins: dict[Wire, Origin] = {}
    seen: list[Message] = []

    def settle() -> None:
        before = -1
        while before != len(seen):
            before = len(seen)
            proxy.settle()
            for wire in proxy.origins:
                origins.setdefault(wire, Origin(wire)).serve(seen)
            proxy.settle()

    for part in parts:
        client.receive(part)
        if prompt:
            settle()
        else:
            proxy.settle()
    client.receive_end()
    settle()
    found, answers = read_answers(VARIES.sub(b"", client.written), seen)
    return Outcome(seen, found, answers, client.end)


def read_requests(data: bytes, most: int) -> list[Message]:
    """The first `most` requests in `data` as h11 reads them."""
    machine = h11.Connection(h11.SERVER)
    machine.receive_data(data.lstrip(b"\r\n"))
    found: list[Message] = []
    while len(found) < most:
        request = machine.next_event()
        assert isinstance(request, h11.Request)
        content = b""
        while isinstance(event := machine.next_event(), h11.Data):
            content += event.data
        assert isinstance(event, h11.EndOfMessage)
        found.append(message(request, content, event))
        if len(found) < most:
            rest, _ = machine.trailing_data
            machine = h11.Connection(h11.SERVER)
            machine.receive_data(rest.lstrip(b"\r\n"))
    return found


def read_answers(said: bytes, requests: list[Message]) -> tuple[list[int], bytes]:
    """See `Outcome`. h11 must find one answer for each request, and at most one refusal then."""
    statuses, rest = [], said
    for method in [*(request.start[0] for request in requests), b"GET"]:
        before = rest
        machine = h11.Connection(h11.CLIENT)
        machine.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        machine.send(h11.EndOfMessage())
        if rest:
            machine.receive_data(rest)
        while isinstance(event := machine.next_event(), h11.InformationalResponse):
            pass
        if event is h11.NEED_DATA:
            break
        assert isinstance(event, h11.Response)
        statuses.append(event.status_code)
        while isinstance(event := machine.next_event(), h11.Data):
            pass
        assert isinstance(event, h11.EndOfMessage)
        rest = machine.trailing_data[0]
    assert rest == b""
    assert statuses[: len(requests)] == [200] * len(requests)
    if len(statuses) == len(requests):
        return statuses, said
    assert 400 <= statuses[-1] < 600
    return [*statuses[:-1], 400], said.removesuffix(before)


STREAMS = mutated(st.lists(REQUESTS, min_size=1, max_size=3).map(b"".join), least=0)


@SETTINGS
@given(STREAMS, CUTS)
@example(data=(b"GET /a" + HOST + b"\r\n") * 2, cuts=[])
def test_requests(make: Make, data: bytes, cuts: list[int]) -> None:
    whole = ask(make(), [data])
    assert whole.end
    assert read_requests(data, len(whole.requests)) == whole.requests
    assert ask(make(), pieces(data, cuts)) == whole
    assert ask(make(), pieces(data, cuts), prompt=False) == whole
    assert ask(make(), each_byte(data)) == whole


@SETTINGS
@given(STREAMS, CUTS)
def test_limits(make_strict: Make, data: bytes, cuts: list[int]) -> None:
    whole = ask(make_strict(), [data])
    assert ask(make_strict(), pieces(data, cuts)) == whole
    assert ask(make_strict(), each_byte(data)) == whole


@SETTINGS
@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\r\n", b" HTTP/1.1"]), max_size=8))
def test_any_bytes(make: Make, parts: list[bytes]) -> None:
    """Nothing breaks, and the connection ends."""
    assert ask(make(), parts).end


class Answer(NamedTuple):
    """What a client has when the origin has said all."""

    complete: bool
    """h11 finds a whole answer that is not the proxy's own error, in a connection that is whole."""
    written: bytes
    """Nothing unless complete: how much of a broken answer had arrived depends on the pieces."""


def answer(proxy: SocketlessProxy, method: bytes, version: bytes, parts: list[bytes]) -> Answer:
    """What comes of an origin that answers with `parts` and then says no more."""
    client = proxy.client()
    client.receive(method + b" /a HTTP/" + version + b"\r\nHost: a\r\n" + WEBSOCKET + b"\r\n")
    proxy.settle()
    (origin,) = proxy.origins
    for part in parts:
        origin.receive(part)
        proxy.settle()
    origin.receive_end()
    proxy.settle()
    written = VARIES.sub(b"", client.written)
    whole = client.end != "cut" and b"\r\nServer: migrator\r\n" not in written
    if not whole or not is_complete(written, method, ended=bool(client.end or client.half_closed)):
        return Answer(False, b"")
    return Answer(True, written)


def is_complete(data: bytes, method: bytes, *, ended: bool) -> bool:
    """Raises RemoteProtocolError if h11 would refuse it."""
    return read_response(data, method, ended=ended) is not None


def read_response(data: bytes, method: bytes, *, ended: bool) -> Message | None:
    """None: it is not complete. `ended`: no more will come."""
    machine = h11.Connection(h11.CLIENT)
    fields = [("Host", "a"), ("Connection", "Upgrade"), ("Upgrade", "websocket")]
    machine.send(h11.Request(method=method, target="/", headers=fields))
    machine.send(h11.EndOfMessage())
    if data:
        machine.receive_data(data)
    if ended:
        machine.receive_data(b"")
    while isinstance(event := machine.next_event(), h11.InformationalResponse):
        if event.status_code == 101:
            return Message((b"101",), machine.trailing_data[0])
    if not isinstance(event, h11.Response):
        return None
    status, content = b"%d" % event.status_code, b""
    while isinstance(event := machine.next_event(), h11.Data):
        content += event.data
    if not isinstance(event, h11.EndOfMessage):
        return None
    return Message((status,), content, tuple(event.headers))


@SETTINGS
@given(
    mutated(RESPONSES, least=0),
    st.sampled_from([b"GET", b"POST", b"HEAD"]),
    st.sampled_from([b"1.1", b"1.0"]),
    CUTS,
)
def test_responses(make: Make, data: bytes, method: bytes, version: bytes, cuts: list[int]) -> None:
    whole = answer(make(), method, version, [data])
    assert answer(make(), method, version, pieces(data, cuts)) == whole
    assert answer(make(), method, version, each_byte(data)) == whole
    if whole.complete:
        said = read_response(data, method, ended=True)
        if said is not None and version == b"1.0":
            said = said._replace(trailers=())  # there are none without chunks
        assert read_response(whole.written, method, ended=True) == said
