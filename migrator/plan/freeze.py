"""Whether a moment is inside one of the plan's freezes. Pure but for the time zone database."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from migrator.plan.model import WEEKDAYS, Freeze


def frozen_until(freezes: Iterable[Freeze], now: float) -> datetime | None:
    """The latest end of the freezes that `now` (Unix seconds) is in, in its own time zone.

    None: in none. A freeze that ends at or before the time at which it starts ends a day later, and
    belongs to the weekday on which it starts. Times are those of the wall clock there.
    """
    ends = [end for freeze in freezes for end in _ends(freeze, now)]
    return max(ends, default=None)


def _ends(freeze: Freeze, now: float) -> Iterator[datetime]:
    zone = ZoneInfo(freeze.timezone)
    local = datetime.fromtimestamp(now, UTC).astimezone(zone).replace(tzinfo=None)
    begins, ends = time.fromisoformat(freeze.from_), time.fromisoformat(freeze.to)
    for day in (local.date() - timedelta(days=1), local.date()):
        start = datetime.combine(day, begins)
        end = datetime.combine(day + timedelta(days=1 if ends <= begins else 0), ends)
        if WEEKDAYS[day.weekday()] in freeze.weekdays and start <= local < end:
            yield end.replace(tzinfo=zone)
