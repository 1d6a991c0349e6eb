"""The proxy of this project, compiled: a flag on for half of the users."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import httpx

from bench.flags.errors import BenchError
from bench.flags.flag_server import SDK_KEY, FlagServer
from bench.flags.processes import Usage
from bench.proxy.peers.peer import Started
from bench.proxy.program import PATIENCE, free_port, running, wait_for_port
from bench.proxy.upstream import Upstream

NAME: Final = "ours"
FLAG: Final = "publishing"
STAGE: Final = "complete"
"""The service answers, and nobody else sees reads: the others do not mirror either."""
COMPILED: Final = Path(__file__).parents[3] / "build" / "compiled"
"""Where the Makefile puts the packages as they are installed for production."""


@contextmanager
def start(
    folder: Path,
    cores: Set[int] | None,
    upstream: Upstream,
    flags: FlagServer,
    *,
    workers: int = 1,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Started]:
    """`Started.usages` are the workers', `settings` more of the configuration.

    Raises `BenchError`.
    """
    port, admin = free_port(), free_port()
    config = folder / "routes.json"
    document = {**_document(port, upstream, workers), **settings}
    config.write_text(json.dumps(document))
    command = (
        *(sys.executable, "-m", "migrator", "proxy", "serve", "--config", str(config)),
        *("--state", str(folder), "--admin-port", str(admin)),
    )
    uris = ("BASE_URI", "STREAM_URI", "EVENTS_URI")
    environment = {f"LAUNCHDARKLY_{name}": flags.origin for name in uris}
    environment["LAUNCHDARKLY_SDK_KEY"] = SDK_KEY
    if not COMPILED.is_dir():
        raise BenchError(f"{COMPILED} is missing, `make bench-proxy` makes it")
    environment |= {"PYTHONPATH": str(COMPILED), "PYTHONSAFEPATH": "1"}
    with running(command, folder, cores, environment) as process:
        wait_for_port(process, admin, folder)
        pids = _ready(f"http://127.0.0.1:{admin}")
        yield Started(port=port, usages=tuple(map(Usage, pids)), admin=admin)


def _document(port: int, upstream: Upstream, workers: int) -> dict[str, Any]:
    return {
        "migration": "bench",
        "workers": workers,
        "listen": {"port": port},
        "gateway": {"port": 0},
        "context": {"key": [{"header": "x-user"}]},
        "monolith": f"http://127.0.0.1:{upstream.old}",
        "services": {"articles": f"http://127.0.0.1:{upstream.new}"},
        "capabilities": {
            "publishing": {
                "flag": FLAG,
                "routes": [{"path": "/articles/{id}", "service": "articles"}],
            }
        },
        "timeouts": {"idle": 300.0},
    }


def _ready(admin: str) -> list[int]:
    """Process numbers of the workers once they accept and know flags."""
    deadline = time.monotonic() + PATIENCE
    with httpx.Client(trust_env=False) as http:
        while not http.get(f"{admin}/readyz").is_success:
            if time.monotonic() > deadline:
                raise BenchError("the proxy did not become ready")
            time.sleep(0.05)  # readiness is asked for, it raises no event
        return [each["pid"] for each in http.get(f"{admin}/stats").json()["workers"]]
