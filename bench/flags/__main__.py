"""`python -m bench.flags [PART…]`: measure the flag server, some parts or all.

Tables go to standard output, progress to standard error, results to `bench/results/`. Ends with 0
also when goals are missed, and with 1 when something could not be measured.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from bench.flags import agreement, fanout, growth, start, toggle
from bench.flags.errors import BenchError
from bench.flags.part import Part
from bench.machine import this_machine
from bench.results import Result, markdown, table, write

PARTS: Final = (
    Part(name="toggle", measure=toggle.measure),
    Part(name="fanout", measure=fanout.measure),
    Part(name="growth", measure=growth.measure),
    Part(name="start", measure=start.measure),
    Part(name="agreement", measure=agreement.measure),
)


def main(arguments: Sequence[str] | None = None) -> int:
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="python -m bench.flags", description="Flag server bench.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(names)}; or all")
    parser.add_argument("--markdown", action="store_true", help="tables for a README")
    options = parser.parse_args(arguments)
    chosen, show = options.parts or names, markdown if options.markdown else table
    if unknown := sorted(set(chosen) - set(names)):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(names)}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        for part in PARTS:
            if part.name in chosen:
                _measure(part, show)
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _measure(part: Part, show: Callable[[Sequence[Result]], str]) -> None:
    started = time.monotonic()

    def say(what: str) -> None:
        sys.stderr.write(f"{time.monotonic() - started:6.1f} s  {part.name}: {what}\n")
        sys.stderr.flush()

    machine = this_machine()
    results = part.measure(say)
    file = write(f"flags-{part.name}", results, machine)
    say(f"done, written to {file.relative_to(file.parents[2])}")
    sys.stdout.write(f"{show(results)}\n\n")
    sys.stdout.flush()


def _end(number: int, _: object) -> NoReturn:
    """Leaves every block, which ends what it started."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
