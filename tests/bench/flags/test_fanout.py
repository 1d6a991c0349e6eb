"""From when the time to the last stream counts."""

import pytest

from bench.flags.fanout import Turn
from bench.flags.flag_server import Switched
from bench.flags.streams import Arrival


@pytest.mark.parametrize(
    ("answered", "first", "expected"),
    [
        pytest.param(2.0, 3.0, 8.0, id="from-the-answer"),
        pytest.param(4.0, 3.0, 7.0, id="written-before-it-answers"),
        pytest.param(12.0, 3.0, 7.0, id="answers-when-all-is-written"),
    ],
)
def test_spread(answered: float, first: float, expected: float) -> None:
    turn = Turn(
        switched=Switched(sent=1.0, answered=answered),
        arrival=Arrival(first=first, last=10.0),
        asked=0.0,
        bare=Arrival(first=0.0, last=0.0),
    )
    assert turn.spread == expected
