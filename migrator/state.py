"""The state folder of one migration on one machine: which file is where, and how it is written.

Every file is written beside itself and renamed, so a crash leaves the old one or the new one.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from migrator.errors import InvalidInput, StateError, Unavailable

VARIABLE = "MIGRATOR_STATE"
"""Environment variable that names a state folder."""
DEFAULT = Path(".migrator")
M = TypeVar("M", bound=BaseModel)


class Addresses(BaseModel):
    """Origins, such as `http://127.0.0.1:8080`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    proxy: str
    gateway: str
    proxy_admin: str
    flags: str
    """Of the REST API of the flag server, embedded or not."""
    controller: str
    monolith: str
    services: dict[str, str]
    """Of a service with several replicas that of the first one."""


class Instance(BaseModel):
    """What the last `migrator up` started."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: Path
    """The plan file it was given; a copy is in the state folder."""
    supervisor: int
    """Process id of `migrator up`."""
    ports: dict[str, int]
    """By the names of `migrator.compose.wanted_ports`; kept for the next start."""
    addresses: Addresses


class StateDir:
    """Paths below one state folder. Making the object touches nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.plan = self.root / "plan.yaml"
        self.instance = self.root / "instance.json"
        self.secrets = self.root / "secrets.json"
        self.credentials = self.root / "credentials.json"
        self.routes = self.root / "routes.json"
        self.endpoints_token = self.root / "endpoints-token"
        self.flags_database = self.root / "flags.db"
        self.rollout_database = self.root / "rollout.db"
        self.proxy = self.root / "proxy"
        self.processes = self.root / "processes.json"
        self.dashboard_url = self.root / "dashboard-url"
        self.logs = self.root / "logs"
        self.data = self.root / "data"

    def create(self) -> None:
        """Make the folders, readable by their owner only. Raises `StateError`."""
        for folder in (self.root, self.proxy, self.logs, self.data):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise StateError(
                    f"{folder}: cannot make the state folder: {error.strerror}",
                    hint="choose another one with --state",
                ) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Held while a supervisor runs. Raises `InvalidInput` if another one does."""
        with (self.root / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise InvalidInput(
                    f"{self.root}: `migrator up` runs here already (process {lock.read().strip()})",
                    hint="stop it with `migrator down`, or choose another folder with --state",
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def is_locked(self) -> int | None:
        """Process id of the supervisor that runs here now, if one does; 0: it begins just now."""
        try:
            with (self.root / "lock").open("r") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read().strip() or 0)
        except FileNotFoundError:
            pass
        return None

    def load_instance(self) -> Instance:
        """Raises `Unavailable` if nothing was ever started here, `StateError` if it is corrupt."""
        if not self.instance.exists():
            raise Unavailable(
                f"{self.root}: nothing was started here", hint="start it with `migrator up PLAN`"
            )
        return read_json(self.instance, Instance)


def find_state(option: Path | None, name: str | None = None) -> StateDir:
    """The folder of `--state`, else of $MIGRATOR_STATE, else `.migrator/<name>`.

    Without a name the only folder in `.migrator`. Raises `InvalidInput` if there is a choice.
    """
    given = option or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if given is not None:
        return StateDir(given)
    if name is not None:
        return StateDir(DEFAULT / name)
    found = sorted(p for p in DEFAULT.glob("*") if p.is_dir()) if DEFAULT.is_dir() else []
    if len(found) == 1:
        return StateDir(found[0])
    if not found:
        raise InvalidInput(
            f"no migration was started in {Path.cwd()}",
            hint="change to the folder where `migrator up` ran, or name its state with --state",
        )
    raise InvalidInput(
        f"several migrations were started here: {', '.join(map(str, found))}",
        hint="choose one with --state",
    )


def write_atomically(path: Path, text: str) -> None:
    """Replace `path`, mode 0600, durably: a reader sees the old text or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)


def read_json(path: Path, model: type[M]) -> M:
    """Raises `StateError` that names the file and the field, never a value."""
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror}", hint=_REPAIR) from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"])) or "document"
        raise StateError(f"{path}: corrupt: {where}: {problem['msg']}", hint=_REPAIR) from None


_REPAIR = "restore it from a backup, or move the file away to have it made anew"
