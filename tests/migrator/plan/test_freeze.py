"""When a plan's freezes hold."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.plan.freeze import frozen_until
from migrator.plan.model import WEEKDAYS, Freeze

BERLIN = "Europe/Berlin"


def freeze(begins: str, to: str, **more: Any) -> Freeze:
    return Freeze.model_validate({"from": begins, "to": to, "timezone": BERLIN, **more})


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp()


DAY, NIGHT = freeze("09:00", "17:00"), freeze("22:00", "06:00")
SUNDAY = freeze("00:00", "00:00", weekdays=["sun"])


@pytest.mark.parametrize(
    ("given", "now", "until"),
    [
        pytest.param(DAY, "2026-03-02T09:00", "2026-03-02T17:00", id="at its start"),
        pytest.param(DAY, "2026-03-02T17:00", None, id="at its end"),
        pytest.param(DAY, "2026-03-02T08:59", None, id="before"),
        pytest.param(NIGHT, "2026-03-02T23:00", "2026-03-03T06:00", id="over midnight"),
        pytest.param(
            freeze("22:00", "06:00", weekdays=["fri"]),
            "2026-03-07T05:59",
            "2026-03-07T06:00",
            id="of the day on which it starts",
        ),
        pytest.param(
            freeze("22:00", "06:00", weekdays=["sat"]), "2026-03-07T05:59", None, id="other day"
        ),
        pytest.param(SUNDAY, "2026-03-29T12:00", "2026-03-30T00:00", id="a day of 23 hours"),
    ],
)
def test_frozen_until(given: Freeze, now: str, until: str | None) -> None:
    found = frozen_until([given], at(now))
    assert (found and found.timestamp()) == (until and at(until))


def test_the_longest_counts() -> None:
    found = frozen_until([freeze("08:00", "12:00"), DAY], at("2026-03-02T11:30"))
    assert found is not None
    assert f"{found:%a %H:%M} {found.tzinfo}" == "Mon 17:00 Europe/Berlin"


@given(st.floats(0, 4e9), st.sampled_from(["00:00", "07:30", "23:59"]), st.sampled_from(WEEKDAYS))
def test_a_day_has_a_freeze_or_its_complement(now: float, hour: str, day: str) -> None:
    """From 12:00 to `hour` and from `hour` to 12:00, every day: always in exactly one."""
    one, other = freeze("12:00", hour), freeze(hour, "12:00")
    assert (frozen_until([one], now) is None) != (frozen_until([other], now) is None)
    narrow = freeze("12:00", hour, weekdays=[day])
    assert frozen_until([narrow], now) in (None, frozen_until([one], now))
