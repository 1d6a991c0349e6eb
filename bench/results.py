"""Results, and how they are shown and kept. Pure but for `write`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bench.machine import Machine

FOLDER: Final = Path(__file__).with_name("results")
HEADINGS: Final = ("measured", "value", "goal", "met")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured value."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    """The most that is good enough, in `unit`; None: measured for comparison."""
    more_is_better: bool = False
    """`goal` is the least that is good enough."""

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.more_is_better else self.value <= self.goal


def document(
    results: Sequence[Result], missing: Mapping[str, str], machine: Machine, date: str
) -> list[dict[str, object]]:
    """What is kept: one object for each result, then one for each that is missing, with why."""
    kept: list[dict[str, object]] = [
        {
            "name": each.name,
            "value": significant(each.value),
            "unit": each.unit,
            "goal": each.goal,
            "met": each.met,
            **({"more_is_better": True} if each.more_is_better else {}),
        }
        for each in results
    ]
    kept += [{"name": name, "missing": why} for name, why in missing.items()]
    return [{**each, "date": date, "machine": asdict(machine)} for each in kept]


def write(
    name: str,
    results: Sequence[Result],
    machine: Machine,
    *,
    missing: Mapping[str, str] = MappingProxyType({}),
    folder: Path = FOLDER,
) -> Path:
    """Replace `NAME.json` in `folder`. `missing`: what was not measured, and why."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    date = datetime.now(UTC).date().isoformat()
    kept = document(results, missing, machine, date)
    file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    return file


def table(results: Sequence[Result]) -> str:
    """Aligned columns for a terminal."""
    rows = [HEADINGS, *map(_cells, results)]
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(
        "  ".join(
            [row[0].ljust(first), *(c.rjust(w) for c, w in zip(row[1:], others, strict=True))]
        ).rstrip()
        for row in rows
    )


def markdown(results: Sequence[Result]) -> str:
    """The same columns for a README."""
    rows = [HEADINGS, ("---", "---:", "---:", "---"), *map(_cells, results)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def significant(value: float) -> float:
    """`value` to three digits; whole numbers keep all of theirs."""
    return round(value) if abs(value) >= 100 else float(f"{value:.3g}")


def _cells(result: Result) -> tuple[str, str, str, str]:
    met = {None: "", True: "yes", False: "no"}[result.met]
    bound = "≥" if result.more_is_better else "≤"
    goal = "" if result.goal is None else f"{bound} {quantity(result.goal, result.unit)}"
    return result.name, quantity(result.value, result.unit), goal, met


def quantity(value: float, unit: str) -> str:
    """For people."""
    number = f"{significant(value):,}".removesuffix(".0")
    return f"{number} {unit}"
