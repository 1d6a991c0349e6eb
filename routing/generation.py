"""Numbers for sets of workers that live side by side with the set before them.

A new process, or a change of the listeners, starts new workers while those before them still answer
what is in flight. Worker 0 then exists twice, so whatever a worker owns outside of its memory is
named by its generation and its id.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

FILE: Final = "generation"
"""Its name in the proxy's state folder."""


def next_generation(state: Path) -> int:
    """A number that no workers with this state folder have had. Raises OSError."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(state / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = file.read(20).strip()
        generation = int(before) + 1 if before.isdecimal() else 1
        file.seek(0)
        file.write(f"{generation}\n")
        file.truncate()
    return generation
