"""`python -m cms.load`: plays readers, editors and API clients against one address.

It looks at what it is given, too, and counts wrong answers. SIGUSR1 sends everybody to sleep,
SIGUSR2 wakes them up.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.live import Live

from cms.load.ledger import Ledger
from cms.load.players import Crowd
from cms.load.verify import verify


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m cms.load",
        description=__doc__,
        epilog="Example: python -m cms.load --target http://127.0.0.1:8080 --duration 60 --verify",
    )
    parser.add_argument("--target", required=True, help="origin, such as http://127.0.0.1:8080")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same actions (1)")
    parser.add_argument("--rate", type=float, default=40.0, help="actions a second (40)")
    parser.add_argument("--duration", type=float, default=60.0, help="seconds (60), 3600 at most")
    parser.add_argument("--report", type=Path, help="write figures to this JSON file")
    parser.add_argument("--verify", action="store_true", help="re-read every acknowledged write")
    parser.add_argument("--progress", action="store_true", help="draw a line while it runs")
    options = parser.parse_args()
    if not options.target.startswith("http://"):
        parser.error(f"--target: {options.target!r} is not an origin such as http://127.0.0.1:8080")
    if not 0 < options.rate <= 500 or not 0 < options.duration <= 3600:
        parser.error("--rate must be from 0 to 500, --duration from 0 to 3600")
    sys.exit(asyncio.run(_run(options)))


async def _run(options: argparse.Namespace) -> int:
    ledger = Ledger(options.seed)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    drawing = asyncio.create_task(_draw(ledger)) if options.progress else None
    async with Crowd(options.target.rstrip("/"), options.seed, ledger) as crowd:
        loop.add_signal_handler(signal.SIGUSR1, crowd.awake.clear)
        loop.add_signal_handler(signal.SIGUSR2, crowd.awake.set)
        await crowd.play(options.rate, options.duration, stop)
        if options.verify:
            await verify(crowd, ledger)
    if drawing is not None:
        drawing.cancel()
    report = ledger.report()
    if options.report is not None:
        options.report.write_text(json.dumps(report, indent=1))
    if not options.report or options.progress:
        counts = {name: len(report[name]) for name in ("failures", "wrong_answers")}
        print(json.dumps({**report, **counts}, indent=1))
    return 0


async def _draw(ledger: Ledger) -> None:
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        while True:
            shown = ", ".join(f"{name} {count}" for name, count in sorted(ledger.by_origin.items()))
            live.update(
                f"{ledger.requests} requests, {len(ledger.failures)} failed ({shown})", refresh=True
            )
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    main()
