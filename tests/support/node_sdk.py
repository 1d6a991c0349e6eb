"""LaunchDarkly's JavaScript SDKs, unmodified: for Node.js and for browsers.

npm installs what tests/support/node/package-lock.json names, once, into .migrator/. Run this file
to do so before the tests (`python tests/support/node_sdk.py`), for example where they have no
network.
"""

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path(__file__).parent / "node"
ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 300
"""Seconds that npm may take."""


class NotInstalled(Exception):
    """Says what to install."""


def installed() -> Path:
    """The folder with `node_modules`. Raises `NotInstalled`.

    Workers that run in parallel wait for the first one.
    """
    lock = (SOURCE / "package-lock.json").read_bytes()
    name = f"official-sdks-{sha256(lock).hexdigest()[:12]}"
    folder = ROOT / ".migrator" / name
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not folder.exists():
            _install(folder)
    return folder


def browser_bundle() -> Path:
    """The SDK for browsers: one module without imports."""
    return installed() / "node_modules/@launchdarkly/js-client-sdk/dist/index.js"


class NodeSdk:
    """A process with a connected SDK."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def variation(self, key: str, context: Mapping[str, Any], default: Any = None) -> Any:
        """What `variationDetail` gives: `value`, `variationIndex` and `reason`."""
        return self._ask({"variation": [key, context, default]})

    def migration(self, key: str, context: Mapping[str, Any], default: str) -> str:
        """The stage; a read of the new system that took 25 ms is tracked."""
        return str(self._ask({"migration": [key, context, default]})["value"])

    def flush(self) -> None:
        """Returns when the server has the events."""
        self._ask({"flush": True})

    def read(self) -> dict[str, Any]:
        """The next answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process with the SDK for Node.js has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self.read()


@contextmanager
def node_sdk(origin: str, sdk_key: str) -> Iterator[NodeSdk]:
    """Connected. Raises `NotInstalled`."""
    folder = installed()
    process = subprocess.Popen(
        [_program("node"), "follow.mjs", origin, sdk_key],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            sdk = NodeSdk(process)
            assert sdk.read() == {"ready": True}
            yield sdk
        finally:
            process.kill()


def _install(folder: Path) -> None:
    npm = _program("npm")
    new = folder.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(SOURCE, new)
    done = subprocess.run(
        [npm, "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=new,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode != 0:
        raise NotInstalled(f"npm ci failed in {new}; it needs the npm registry:\n{done.stderr}")
    new.rename(folder)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NotInstalled(
            f"{name} is not there: install Node.js 20 or newer with npm (Debian: nodejs and npm)"
        )
    return found


if __name__ == "__main__":
    sys.stdout.write(f"{installed()}\n")
