"""`python -m bench.analysis`: simulate rollouts through the controller's statistics.

A table goes to standard output, progress to standard error, results to
`bench/results/analysis.json`. The same seed gives the same results. Ends with 0 also when goals are
missed.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Final

from bench.analysis.scenarios import CASES
from bench.analysis.simulate import simulate_all
from bench.machine import this_machine
from bench.results import Result, markdown, table, write

RUNS: Final = 2000
SEED: Final = 20240601


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.analysis", description="Statistics.")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of the rare cases ({RUNS:,})")
    parser.add_argument("--markdown", action="store_true", help="a table for a document")
    options = parser.parse_args(arguments)
    os.nice(19)  # it takes minutes of one core, and its results do not depend on speed
    machine, results = this_machine(), list[Result]()
    for number, case in enumerate(CASES):
        started, runs = time.process_time(), max(1, round(options.runs * case.share))
        results += case.figures(
            case.name, simulate_all(case.simulate, case.scenario, runs, SEED + number)
        )
        _say(f"{case.name}: {runs:,} runs, {time.process_time() - started:.1f} s of CPU time")
    file = write("analysis", results, machine)
    _say(f"done, written to {file.relative_to(file.parents[2])}")
    sys.stdout.write(f"{(markdown if options.markdown else table)(results)}\n")
    return 0


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
