"""What a record says of the attempts of one request."""

from unittest.mock import Mock

import pytest

from proxy_builders import no_lane
from routing.message import RequestReader
from routing.record import Record
from routing.recovery import Failure
from routing.stages import Side

OLD, NEW = Side.OLD, Side.NEW
ORIGIN = "http://10.0.0.5"


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        pytest.param("asks new 2; answered 200 3", [(NEW, 1, 3, 200, None)], id="answered"),
        pytest.param("asks new 2", [(NEW, 1, None, None, None)], id="client-gone"),
        pytest.param(
            "unreached new 3; asks old 4; answered 200 5",
            [(NEW, 1, 3, None, "unreached"), (OLD, 3, 5, 200, None)],
            id="unreached, fell back",
        ),
        pytest.param(
            "asks new 2; answered 503 3; asks old 4; answered 500 5",
            [(NEW, 1, 3, 503, None), (OLD, 3, 5, 500, None)],
            id="both failed",
        ),
        pytest.param(
            "asks new 2; reset new 3; unreached new 4",
            [(NEW, 1, 3, None, "reset"), (NEW, 3, 4, None, "unreached")],
            id="repeated in vain",
        ),
        pytest.param(
            "asks old 2; answered 200 3; breaks", [(OLD, 1, 3, 200, "broken")], id="broke off"
        ),
    ],
)
def test_attempts(
    calls: str, expected: list[tuple[Side, float, float | None, int | None, str | None]]
) -> None:
    ended: list[Record] = []
    head = RequestReader().read(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head is not None
    record = Record(
        head, no_lane(), None, b"", edge=True, scheme=b"http", began=1.0, done=ended.append
    )
    for call in calls.split("; "):
        verb, *words = call.split()
        if verb == "asks":
            assert record.asks(Side(words[0]), ORIGIN, b"head", Mock(), float(words[1])) == b"head"
        elif verb == "answered":
            record.is_answered(record.attempts[-1].side, ORIGIN, int(words[0]), float(words[1]))
        elif verb == "breaks":
            record.breaks()
        else:
            record.fails(Side(words[0]), ORIGIN, Failure[verb.upper()], float(words[1]))
    record.end(9.0, complete=True)
    assert ended == [record]
    assert record.ended == 9.0
    assert [(a.side, a.began, a.ended, a.status, a.error) for a in record.attempts] == expected
