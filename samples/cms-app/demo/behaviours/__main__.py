"""`python -m demo.behaviours`: show the behaviours; exit code 0 if all was seen."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo.behaviours.catalogue import BEHAVIOURS
from demo.behaviours.checks import Check, Event
from demo.behaviours.plans import sample
from demo.behaviours.trial import Trial
from demo.system import DemoFailed

WIDTH = 112
"""Columns where there is no terminal."""
EXAMPLES = """examples:
  python -m demo.behaviours                 all of them, about a quarter of an hour
  python -m demo.behaviours errors slow     these two
  python -m demo.behaviours wrong --json    checks and events as JSON; progress on standard error
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one behaviour."""

    name: str
    title: str
    seconds: float
    checks: Sequence[Check]
    events: Sequence[Event]

    @property
    def seen(self) -> bool:
        return bool(self.checks) and all(check.seen for check in self.checks)


def main() -> int:
    parser = _parser()
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BEHAVIOURS]:
        parser.error(f"no behaviour {unknown[0]!r}; there are: {', '.join(BEHAVIOURS)}")
    out = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    if not out.is_terminal:
        out.width = WIDTH
    if options.list:
        for name, each in BEHAVIOURS.items():
            out.print(f"{name:8}  {each.title}")
        return 0
    told = Console(highlight=False, markup=False, soft_wrap=True, stderr=True)
    progress = told if options.json else out
    plan = sample()
    results = []
    try:
        for name in options.names or BEHAVIOURS:
            progress.print(f"{name}: {BEHAVIOURS[name].title}", style="bold")
            results.append(_play(name, options.state.absolute() / name, plan, progress))
            _print_checks(results[-1], progress)
    except KeyboardInterrupt:
        progress.print("stopped")
        return 130
    if options.json:
        print(json.dumps({"behaviours": [_json(result) for result in results]}, indent=1))
    else:
        out.print(_table(results))
    return 0 if all(result.seen for result in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo.behaviours",
        description="Show what a migration does when things go right and wrong, on the real sample "
        "under load. Exit code 1 if anything that must be seen was not.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="behaviours to show; all of them without"
    )
    parser.add_argument("--list", action="store_true", help="print the names, and end")
    parser.add_argument("--json", action="store_true", help="results as JSON on standard output")
    parser.add_argument(
        "--state", type=Path, default=Path(".migrator/behaviours"), help="folder, made anew"
    )
    return parser


def _play(name: str, folder: Path, plan: dict[str, Any], progress: Console) -> Result:
    trial = Trial(folder, plan, lambda line: progress.print(line))
    try:
        BEHAVIOURS[name].play(trial)
    except (DemoFailed, httpx.HTTPError) as error:
        trial.check("it could be played to its end", False, f"{error}; logs are below {folder}")
    return Result(
        name=name,
        title=BEHAVIOURS[name].title,
        seconds=trial.seconds,
        checks=trial.checks,
        events=trial.events,
    )


def _print_checks(result: Result, console: Console) -> None:
    for check in result.checks:
        mark = Text("  seen  " if check.seen else "  NOT SEEN  ", "green" if check.seen else "red")
        console.print(mark + check.what + (f": {check.detail}" if check.detail else ""))


def _table(results: Sequence[Result]) -> Table:
    table = Table(title="Behaviours", box=SIMPLE_HEAD)
    for name in ("behaviour", "what must be seen"):
        table.add_column(name)
    for name in ("checks", "took"):
        table.add_column(name, justify="right")
    table.add_column("")
    for each in results:
        good = sum(check.seen for check in each.checks)
        table.add_row(
            each.name,
            each.title,
            f"{good}/{len(each.checks)}",
            f"{each.seconds:.0f} s",
            Text("seen" if each.seen else "NOT SEEN", "green" if each.seen else "red"),
        )
    return table


def _json(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "title": result.title,
        "seen": result.seen,
        "seconds": round(result.seconds, 1),
        "checks": [asdict(check) for check in result.checks],
        "events": list(result.events),
    }


if __name__ == "__main__":
    sys.exit(main())
