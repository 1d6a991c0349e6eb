"""The flag server under test: a process of its own, changed by REST as any client would."""

import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.flags.errors import BenchError
from bench.flags.processes import Usage, end_with_parent

PATIENCE: Final = 30.0
"""Seconds until a start, an answer or an end counts as failed."""
IDLE: Final = 1.0
"""Seconds after which the server may have closed a connection."""
FLAG: Final = "checkout"
"""The boolean flag that measurements switch."""
SDK_KEY: Final = "sdk-bench-0c8f6f0e-8a3d"
_SEMANTIC_PATCH: Final = "application/json; domain-model=launchdarkly.semanticpatch"
_TOKEN: Final = "api-bench-51d0c1f7-93b2"  # noqa: S105 # of a server that lives for one measurement
_CREDENTIALS: Final = {
    "project": "bench",
    "environment": "production",
    "sdk_key": SDK_KEY,
    "mobile_key": "mob-bench-0c8f6f0e-8a3d",
    "client_side_id": "0123456789abcdef01234567",
    "session_secret": "of-a-server-for-one-measurement",
    "tokens": {"bench": _TOKEN},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """One change of a flag, in seconds of CLOCK_MONOTONIC, the same in every process."""

    sent: float
    answered: float
    """The change was durable before this."""


class Rest:
    """The REST API, over one connection that is kept while it is used."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._used = time.monotonic()
        self._on = False

    def close(self) -> None:
        self._connection.close()

    def create(self, key: str) -> None:
        """A boolean flag that is off."""
        self._ask("POST", "/api/v2/flags/bench", {"key": key, "name": key}, "application/json")

    def create_migration(self, key: str, stage: str) -> None:
        """A migration flag that is on: at `stage` for half of the users, for the others off."""
        place = "/api/v2/flags/bench"
        settings = {"contextKind": "user", "stageCount": 6}
        body = {"key": key, "name": key, "purpose": "migration", "migrationSettings": settings}
        flag = self._ask("POST", place, body, "application/json")
        ids = {each["value"]: each["_id"] for each in flag["variations"]}
        split = {
            "kind": "updateFallthroughVariationOrRollout",
            "rolloutContextKind": "user",
            "rolloutWeights": {ids["off"]: 50_000, ids[stage]: 50_000},
        }
        self._ask(
            "PATCH",
            f"{place}/{key}",
            {"environmentKey": "production", "instructions": [{"kind": "turnFlagOn"}, split]},
            _SEMANTIC_PATCH,
        )

    def switch(self) -> Switched:
        """Turn `FLAG` on if it is off, and off if it is on; one semantic patch."""
        turn = "turnFlagOff" if self._on else "turnFlagOn"
        sent = time.monotonic()
        self._ask(
            "PATCH",
            f"/api/v2/flags/bench/{FLAG}",
            {"environmentKey": "production", "instructions": [{"kind": turn}]},
            _SEMANTIC_PATCH,
        )
        answered = time.monotonic()
        self._on = not self._on
        return Switched(sent=sent, answered=answered)

    def _ask(self, method: str, path: str, body: dict[str, Any], content_type: str) -> Any:
        if time.monotonic() - self._used > IDLE:
            self._connection.close()  # before the server does; `request` opens it again
        headers = {"Authorization": _TOKEN, "Content-Type": content_type}
        self._connection.request(method, path, json.dumps(body).encode(), headers)
        answer = self._connection.getresponse()
        said = answer.read()
        self._used = time.monotonic()
        if answer.status not in (200, 201):
            raise BenchError(f"{method} {path}: {answer.status} {said[:200]!r}")
        return json.loads(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagServer:
    port: int
    usage: Usage
    rest: Rest

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running_flag_server(*, flags: int) -> Iterator[FlagServer]:
    """A fresh server on a free port with `FLAG` and others, `flags` in all, in a new folder."""
    with tempfile.TemporaryDirectory(prefix="bench-flags-") as name:
        folder = Path(name)
        credentials, log = folder / "credentials.json", folder / "log"
        credentials.touch(mode=0o600)
        credentials.write_text(json.dumps(_CREDENTIALS))
        command = (
            *(sys.executable, "-m", "migrator", "flags", "serve", "--port", "0"),
            *("--database", str(folder / "flags.db"), "--credentials", str(credentials)),
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is for the measurement, which ends this one
                preexec_fn=end_with_parent,
            )  # fmt: skip
        try:
            port = _port(process, log)
            with closing(Rest(port)) as rest:
                for key in (FLAG, *(f"flag-{number:04}" for number in range(1, flags))):
                    rest.create(key)
                yield FlagServer(port=port, usage=Usage(process.pid), rest=rest)
        finally:
            _end(process)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """Where the server says it listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        if found := re.search(r"listens on http://[^\s/]+:(\d+)", log.read_text()):
            return int(found[1])
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"the flag server did not start: {log.read_text()[-500:]}")
        time.sleep(0.01)  # a file's growth raises no event


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
