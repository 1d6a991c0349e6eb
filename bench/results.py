"""Results, and how they are shown and kept. Pure but for `write`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
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


def document(results: Sequence[Result], machine: Machine) -> list[dict[str, object]]:
    """What is kept: one object for each result."""
    return [
        {
            "name": each.name,
            "value": significant(each.value),
            "unit": each.unit,
            "goal": each.goal,
            "met": each.met,
            "machine": asdict(machine),
        }
        for each in results
    ]


def write(name: str, results: Sequence[Result], machine: Machine, folder: Path = FOLDER) -> Path:
    """Replace `NAME.json` in `folder`."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(document(results, machine), indent=1, ensure_ascii=False) + "\n")
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
