"""Rules for a plan's metrics that no single key can keep. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from migrator.plan.document import Path
from migrator.plan.errors import nearest
from migrator.plan.finding import Finding
from migrator.plan.model import ByOrigin, Flags, Metric, Otlp, Prometheus

SOURCES: Final = ("prometheus", "webhook", "track", "otlp")
OF_PROPORTIONS: Final = ("max_increase", "max_decrease")
OF_VALUES: Final = ("max", "min", "max_ratio", "min_ratio")
PLACES: Final = ("${origin}", "${capability}")
_PLACE: Final = re.compile(r"\$\{[^}]*\}")


def find_slips(metrics: tuple[Metric, ...], flags: Flags, path: Path) -> Iterator[Finding]:
    """What contradicts itself in one capability's `metrics`, which are at `path`."""
    for index, metric in enumerate(metrics):
        here = (*path, index)
        if metric.name in (other.name for other in metrics[:index]):
            yield Finding((*here, "name"), f"{metric.name!r} is there twice; choose another name")
        yield from _source(metric, flags, here)
        yield from _limits(metric, here)
        if metric.prometheus is not None:
            yield from _shape(metric, metric.prometheus, (*here, "prometheus"))
            yield from _queries(metric, metric.prometheus, (*here, "prometheus"))
        if metric.otlp is not None:
            yield from _shape(metric, metric.otlp, (*here, "otlp"))


def _source(metric: Metric, flags: Flags, path: Path) -> Iterator[Finding]:
    given = [name for name in SOURCES if getattr(metric, name) is not None]
    if len(given) != 1:
        yield Finding(
            path, f"found {' and '.join(given) or 'no source'}, expected one of {_or(SOURCES)}"
        )
    if metric.track is None:
        return
    if flags.server != "embedded":
        yield Finding(
            (*path, "track"),
            "LaunchDarkly has no API for counts of custom events by variation; export them to "
            "Prometheus, or answer with a webhook",
        )
    if not metric.is_proportion:
        yield Finding((*path, "track"), f"counts need a limit of {_or(OF_PROPORTIONS)}")


def _limits(metric: Metric, path: Path) -> Iterator[Finding]:
    proportions = [name for name in OF_PROPORTIONS if getattr(metric, name) is not None]
    values = [name for name in OF_VALUES if getattr(metric, name) is not None]
    if not proportions and not values:
        yield Finding(
            path, f"found no limit, expected {_or(OF_PROPORTIONS)}, or some of {_or(OF_VALUES)}"
        )
    elif len(proportions) > 1 or (proportions and values):
        yield Finding(
            path,
            f"found {' and '.join(proportions + values)}: {proportions[0]} is of a proportion "
            "and stands alone",
        )
    for least, most in (("min", "max"), ("min_ratio", "max_ratio")):
        low, high = getattr(metric, least), getattr(metric, most)
        if low is not None and high is not None and low > high:
            yield Finding((*path, least), f"found {low:g}, expected at most {most}: {high:g}")


def _shape(metric: Metric, source: Prometheus | Otlp, path: Path) -> Iterator[Finding]:
    wanted = ("count", "total") if metric.is_proportion else ("value",)
    kind = "a proportion" if metric.is_proportion else "a value"
    for name in ("count", "total", "value"):
        given = getattr(source, name)
        if (given is not None) != (name in wanted):
            yield Finding(
                path if given is None else (*path, name),
                f"{'found' if given is not None else 'found no'} {name!r}; "
                f"{kind} needs {' and '.join(wanted)}",
            )


def _queries(metric: Metric, source: Prometheus, path: Path) -> Iterator[Finding]:
    for name in ("count", "total", "value"):
        query = getattr(source, name)
        if query is not None:
            yield from _places(query, (*path, name), needs_origin=metric.needs_old)


def _places(query: str | ByOrigin, path: Path, *, needs_origin: bool) -> Iterator[Finding]:
    if isinstance(query, ByOrigin):
        yield from _unknown(query.old, (*path, "old"))
        yield from _unknown(query.new, (*path, "new"))
        return
    yield from _unknown(query, path)
    if needs_origin and PLACES[0] not in query:
        yield Finding(
            path, f"asks both origins the same; expected {PLACES[0]} in it, or `old:` and `new:`"
        )


def _unknown(query: str, path: Path) -> Iterator[Finding]:
    for place in _PLACE.findall(query):
        if place not in PLACES:
            yield Finding(
                path, f"found {place}, expected {_or(PLACES)}", nearest(place, list(PLACES))
            )


def _or(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
