"""The files that hold the proxy's signing keys.

A file has a key in each line: the first one signs, all of them verify, so that a key is replaced
without a moment at which proxies disagree. Errors name the file and never its content.
"""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from routing.config import Overrides, ProxyConfig
from routing.errors import InvalidConfig
from routing.signing import Keyring, Keyrings

FILE = "decisions.key"
"""Its name in the proxy's state folder."""
LEAST = 32
"""Characters of a key."""
MOST_KEYS = 8


def key_paths(config: ProxyConfig, state: Path) -> list[Path]:
    """Where the keys that `config` asks for are."""
    paths = []
    if config.decisions.carry:
        paths.append(config.decisions.key_file or state / FILE)
    if config.overrides is not None:
        paths.append(config.overrides.key_file)
    return paths


def prepare_keyrings(config: ProxyConfig, state: Path) -> None:
    """Make what is to be made, and see that all keys can be read. Raises InvalidConfig."""
    if config.decisions.carry and config.decisions.key_file is None:
        make_decision_key(state)
    load_keyrings(config, state)


def load_keyrings(config: ProxyConfig, state: Path) -> Keyrings:
    """The keys that `config` asks for. Raises InvalidConfig."""
    decisions = None
    if config.decisions.carry:
        path = config.decisions.key_file or state / FILE
        decisions = Keyring("decisions", read_keys(path, "decisions.key_file"))
    overrides = None
    if config.overrides is not None:
        overrides = override_keyring(config.overrides)
    return Keyrings(decisions, overrides)


def override_keyring(overrides: Overrides) -> Keyring:
    """What testers' overrides are signed with. Raises InvalidConfig."""
    return Keyring("overrides", read_keys(overrides.key_file, "overrides.key_file"))


def read_keys(path: Path, place: str) -> tuple[bytes, ...]:
    """The keys in the file at `path`, which the configuration names at `place`."""
    try:
        lines = path.read_bytes().split()
    except OSError as error:
        raise InvalidConfig(f"{place}: {path} cannot be read: {error.strerror}") from None
    short = any(len(line) < LEAST for line in lines)
    if short or not 0 < len(lines) <= MOST_KEYS:
        raise InvalidConfig(
            f"{place}: expected 1 to {MOST_KEYS} lines of {LEAST} characters or more in {path}",
            hint=f"openssl rand -hex 32 > {path}",
        )
    return tuple(lines)


def make_decision_key(state: Path) -> None:
    """Put a fresh key in the state folder unless there is one. Raises InvalidConfig."""
    path = state / FILE
    if path.exists():
        return
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=state, prefix=f".{FILE}.") as file:  # mode 0600
            file.write(secrets.token_hex(32).encode() + b"\n")
            file.flush()
            # Whole from the first moment; and another process' key is not replaced.
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    except OSError as error:
        raise InvalidConfig(
            f"{path} cannot be written: {error.strerror}",
            hint="name a file with a key in decisions.key_file",
        ) from None
