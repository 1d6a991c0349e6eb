"""A bar chart as SVG that is readable on dark and on light pages. Pure."""

from collections.abc import Mapping
from html import escape
from typing import Final

from bench.results import significant

WIDTH: Final = 720
"""Pixels, as are all lengths here."""
LEFT: Final = 150
RIGHT: Final = 120
TOP: Final = 48
BAR: Final = 22
CUT: Final = 4
"""A bar is cut when it is longer than this many times the next shorter one."""
STEP: Final = 32
_STYLE: Final = (
    "text{font:14px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}"
    ".bar{fill:#8c959f}.ours{fill:#0969da}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#7d8590}.ours{fill:#4493f8}}"
)


def bars(title: str, unit: str, rows: Mapping[str, float], ours: str) -> str:
    """Horizontal bars, the shortest first; the one called `ours` stands out.

    A bar that would leave the others too short to compare is cut, and says so.
    """
    most = _scale(sorted(rows.values()))
    height = TOP + STEP * len(rows) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="8" y="26">{escape(title)}</text>',
    ]
    for number, (name, value) in enumerate(sorted(rows.items(), key=lambda row: row[1])):
        y = TOP + STEP * number
        length = (WIDTH - LEFT - RIGHT) * min(value / most, 1)
        kind = "bar ours" if name == ours else "bar"
        shown = f"{significant(value):,}".removesuffix(".0") + f" {unit}"
        if value > most:
            shown += ", cut"
        lines += [
            f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="3"/>',
            f'<text x="{LEFT + length + 8:.1f}" y="{y + 16}">{escape(shown)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _scale(values: list[float]) -> float:
    """What the longest bar stands for; `values` are in order."""
    if len(values) > 1 and 0 < values[-2] * CUT < values[-1]:
        return values[-2]
    return values[-1] if values and values[-1] else 1
