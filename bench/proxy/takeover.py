"""`python -m bench.proxy.takeover`: replace the running proxy again and again under load.

The number of workers differs each time. Ends with 1 if any request failed. Progress goes to
standard error, results to `bench/results/proxy-takeover.json`.
"""

import argparse
import asyncio
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
import trustme

from bench.flags.errors import BenchError
from bench.flags.flag_server import SDK_KEY, FlagServer, running_flag_server
from bench.machine import this_machine
from bench.proxy.program import PATIENCE, free_port, running, wait_for_port
from bench.proxy.unbroken import Connection, UnbrokenLoad, origin
from bench.results import Result, table, write

WORKERS: Final = (2, 3, 1)
"""In turn: more sockets, fewer, more."""
DRAIN: Final = 10.0
HOST: Final = "127.0.0.1"


class Line:
    """Proxies that take over from one another."""

    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        flags: FlagServer,
        monolith: int,
        tls: dict[str, Any] | None,
    ) -> None:
        """`tls`: of the listener."""
        self._folder, self._stack, self._monolith, self._tls = folder, stack, monolith, tls
        self.port, self.admin = free_port(), free_port()
        self._environment = {
            f"LAUNCHDARKLY_{name}": flags.origin
            for name in ("BASE_URI", "STREAM_URI", "EVENTS_URI")
        }
        self._environment["LAUNCHDARKLY_SDK_KEY"] = SDK_KEY
        self._started = 0
        self.process: subprocess.Popen[bytes] | None = None

    async def next(self) -> float:
        """Seconds until the new process serves alone. Raises `BenchError`."""
        since, folder = time.monotonic(), self._folder / str(self._started)
        folder.mkdir()
        config = folder / "routes.json"
        document = {
            "migration": "bench",
            "workers": WORKERS[self._started % len(WORKERS)],
            "listen": {"port": self.port, "tls": self._tls},
            "gateway": {"port": 0},
            "monolith": f"http://127.0.0.1:{self._monolith}",
            "timeouts": {"drain": DRAIN},
        }
        config.write_text(json.dumps(document))
        command = (
            *(sys.executable, "-m", "migrator", "proxy", "serve", "--config", str(config)),
            *("--state", str(self._folder / "state"), "--admin-port", str(self.admin)),
            "--take-over",
        )
        self.process = self._stack.enter_context(running(command, folder, None, self._environment))
        self._started += 1
        if self._started == 1:
            await asyncio.to_thread(wait_for_port, self.process, self.admin, folder)
        async with httpx.AsyncClient(trust_env=False) as http:
            while not await self._serves(http):
                if self.process.poll() is not None or time.monotonic() > since + PATIENCE:
                    raise BenchError((folder / "log").read_text(errors="replace")[-500:])
                await asyncio.sleep(0.02)  # another process's readiness raises no event
        return time.monotonic() - since

    async def _serves(self, http: httpx.AsyncClient) -> bool:
        """Whether the newest generation of workers is ready."""
        try:
            stats = (await http.get(f"http://127.0.0.1:{self.admin}/stats")).json()
            ready = (await http.get(f"http://127.0.0.1:{self.admin}/readyz")).is_success
        except httpx.TransportError:
            return False
        return ready and stats["workers"][0]["generation"] == self._started


def secured(folder: Path) -> tuple[dict[str, Any], ssl.SSLContext]:
    """What a listener has for TLS, and what its clients have."""
    authority = trustme.CA()
    issued = authority.issue_cert(HOST)
    certificate, key = folder / "a.pem", folder / "a-key.pem"
    certificate.write_bytes(issued.cert_chain_pems[0].bytes())
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return {"certificates": [{"certificate": str(certificate), "key": str(key)}]}, context


async def measure(times: int, each: int, *, tls: bool) -> tuple[list[float], UnbrokenLoad]:
    """Seconds of each take-over, and what the load saw. Raises `BenchError`."""
    tunnels: list[Connection] = []
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-takeover-"))
        flags = stack.enter_context(running_flag_server(flags=1))
        listens, secure = secured(Path(name)) if tls else (None, None)
        async with origin() as monolith:
            line = Line(Path(name), stack, flags, monolith, listens)
            await line.next()
            load = UnbrokenLoad(HOST, line.port, secure)
            seconds = []
            async with load.running(each=each):
                for number in range(times):
                    tunnels.append(await load.websocket())
                    seconds.append(await line.next())
                    sys.stderr.write(f"take-over {number + 1} of {times}: {seconds[-1]:.2f} s\n")
            for _, writer in tunnels:
                writer.close()
    return seconds, load


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.proxy.takeover", description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="take-overs in a row (10)")
    parser.add_argument("--each", type=int, default=4, help="clients of every kind (4)")
    parser.add_argument("--tls", action="store_true", help="clients speak TLS; nothing is written")
    options = parser.parse_args(arguments)
    machine = this_machine()
    try:
        seconds, load = asyncio.run(measure(options.times, options.each, tls=options.tls))
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    title = f"{options.times} take-overs in a row"
    results = [
        Result(name=f"{title}: failed requests", value=len(load.failed), unit="", goal=0),
        Result(name=f"{title}: time of one, median", value=median(seconds), unit="s"),
        *(
            Result(name=f"{title}: {kind}", value=count, unit="requests")
            for kind, count in load.answered.items()
        ),
    ]
    if not options.tls:
        write("proxy-takeover", results, machine)
    sys.stdout.write("\n".join((table(results), *load.failed[:20])) + "\n")
    return 1 if load.failed else 0


if __name__ == "__main__":
    sys.exit(main())
