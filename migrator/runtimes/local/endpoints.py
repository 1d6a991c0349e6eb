"""Which endpoints of each service can take requests, as the supervisor records it."""

from migrator.runtimes.local import record
from migrator.runtimes.local.program import State
from migrator.state import StateDir


def ready_endpoints(state: StateDir) -> dict[str, tuple[str, ...]]:
    """Origins by the service's name: those that are ready, if any.

    What is recorded as ready and has ended since, because no supervisor runs, is not. Raises
    StateError.
    """
    found: dict[str, list[str]] = {}
    for process in record.load(state).processes:
        if process.service is not None:
            ready = found.setdefault(process.service, [])
            if process.state == State.READY and record.is_alive(process):
                ready.append(f"http://127.0.0.1:{process.port}")
    return {name: tuple(origins) for name, origins in found.items()}
