"""`python -m bench.proxy.publish`: the last run's figures into README.md and docs/.

What is published is kept in `docs/proxy-bench.json`; tables and chart follow from it alone, so that
a test can check them.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.flags.errors import BenchError
from bench.proxy import summary
from bench.proxy.chart import bars
from bench.proxy.peers import ours
from bench.results import FOLDER, HEADINGS, quantity

ROOT: Final = Path(__file__).parents[2]
LAST_RUN: Final = FOLDER / "proxy.json"
KEPT: Final = "docs/proxy-bench.json"
CHART: Final = "docs/proxy-bench.svg"
GOALS: Final = "README.md"
"""The page with our values by the goals."""
PEERS: Final = "docs/performance.md"
"""The page with every value of every proxy."""
BEGIN: Final = "<!-- bench.proxy.publish writes this -->\n"
END: Final = "<!-- until here -->\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is published of one run."""

    date: str
    machine: Mapping[str, Any]
    results: Sequence[Mapping[str, Any]]
    """As `bench.results.document` makes them, also those that are missing."""

    def text(self) -> str:
        """JSON, one line for each result."""
        lines = (json.dumps(each, ensure_ascii=False) for each in self.results)
        head = f'"date": {json.dumps(self.date)},\n"machine": {json.dumps(self.machine)}'
        results = ",\n".join(lines)
        return f'{{\n{head},\n"results": [\n{results}\n]\n}}\n'


def read_kept(text: str) -> Run:
    """The reverse of `Run.text`."""
    return Run(**json.loads(text))


def read_results(text: str) -> Run:
    """From what `bench.results.write` wrote."""
    kept = json.loads(text)
    common = ("date", "machine")
    results = [{name: each[name] for name in each if name not in common} for each in kept]
    return Run(date=kept[0]["date"], machine=kept[0]["machine"], results=results)


def pages(run: Run, texts: Mapping[str, str]) -> dict[str, str]:
    """Each file that shows the figures, by its path; `texts` has the two pages.

    Raises `BenchError`.
    """
    shown = summary.by_proxy(
        (each["name"], each["value"]) for each in run.results if "value" in each
    )
    small = summary.UNITS["cpu_small"][0]
    chosen = {name: values[small] for name, values in shown.items()}
    return {
        KEPT: run.text(),
        CHART: bars("CPU time per small GET", "µs", chosen, ours.NAME),
        GOALS: replaced(GOALS, texts[GOALS], goals(run)),
        PEERS: replaced(PEERS, texts[PEERS], peers(run.date, shown)),
    }


def goals(run: Run) -> str:
    machine = run.machine
    where = f"{machine['cores']} cores ({machine['cpu']}) with Python {machine['python']}"
    lines = [HEADINGS, ("---", "---:", "---:", "---"), *map(_row, run.results)]
    return f"On {where}, on {run.date}:\n\n" + _markdown([line for line in lines if line])


def _row(result: Mapping[str, Any]) -> tuple[str, ...]:
    """Empty for values that have no goal."""
    if "missing" in result:
        return result["name"], "not measured", "", result["missing"]
    if result["goal"] is None:
        return ()
    bound = "≥" if result.get("more_is_better") else "≤"
    unit = result["unit"]
    goal = f"{bound} {quantity(result['goal'], unit)}"
    met = "yes" if result["met"] else "no"
    return result["name"], quantity(result["value"], unit), goal, met


def peers(date: str, shown: Mapping[str, Mapping[str, float]]) -> str:
    first, *others = summary.matrix(shown)
    ruler = ["---", *["---:"] * (len(first) - 1)]
    return f"Medians, on {date}:\n\n" + _markdown([first, ruler, *others])


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def replaced(name: str, text: str, part: str) -> str:
    """`text` with `part` between the marks. Raises `BenchError`."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"{name} has no {BEGIN.strip()} and {END.strip()} around the figures")
    return f"{before}{begin}\n{part}\n{end}{after}"


def publish() -> None:
    """Raises `BenchError`; then nothing has been changed."""
    if not LAST_RUN.is_file():
        raise BenchError(f"{LAST_RUN} is missing, `make bench-proxy` writes it")
    texts = {name: (ROOT / name).read_text() for name in (GOALS, PEERS)}
    for name, text in pages(read_results(LAST_RUN.read_text()), texts).items():
        (ROOT / name).write_text(text)


def main() -> int:
    try:
        publish()
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
