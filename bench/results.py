"""Results, and how they are shown and kept. Pure but for `write`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bench.machine import Machine

FOLDER: Final = Path(__file__).with_name("results")
HEADINGS: Final = ("measured", "value", "goal", "met")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured value. Less is better for all that have a goal."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    """The most that is good enough, in `unit`; None: measured for comparison."""

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.value <= self.goal


def document(
    results: Sequence[Result], missing: Mapping[str, str], machine: Machine
) -> list[dict[str, object]]:
    """What is kept: one object for each result, then one for each that is missing, with why."""
    kept: list[dict[str, object]] = [
        {
            "name": each.name,
            "value": significant(each.value),
            "unit": each.unit,
            "goal": each.goal,
            "met": each.met,
        }
        for each in results
    ]
    kept += [{"name": name, "missing": why} for name, why in missing.items()]
    return [{**each, "machine": asdict(machine)} for each in kept]


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
    kept = document(results, missing, machine)
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
    goal = "" if result.goal is None else f"≤ {_quantity(result.goal, result.unit)}"
    return result.name, _quantity(result.value, result.unit), goal, met


def _quantity(value: float, unit: str) -> str:
    number = f"{significant(value):,}".removesuffix(".0")
    return f"{number} {unit}"
